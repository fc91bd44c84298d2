import RepositoryWorker
import Testing

@Suite struct HeaderTests {
  @Test(arguments: [
    (["application/json, text/event-stream"], true), (["application/json", "text/event-stream"], true),
    (["*/*"], true), (["text/*;q=0.5"], true), (["TEXT/EVENT-STREAM"], true), (["application/json"], false),
    ([], false),
    (["text/event-stream;q=0, */*"], false), (["text/html;q=1,text/event-stream; q=0.1"], true),
    ([""], false),
    ([","], false), (["text"], false),
  ])
  func accept(_ values: [String], _ isAdmitted: Bool) {
    #expect(MediaTypes.accept(values, admits: "text/event-stream") == isAdmitted)
  }

  @Test(arguments: [
    ("application/json", true), ("application/json; charset=utf-8", true),
    ("Application/JSON;charset=\"UTF-8\"", true),
    ("application/json; charset=latin1", false), ("text/plain", false), ("application/jsonp", false),
    ("", false),
  ])
  func contentType(_ value: String, _ isJSON: Bool) {
    #expect(MediaTypes.isJSON(value) == isJSON)
  }

  @Test func noContentTypeIsNotJSON() { #expect(!MediaTypes.isJSON(nil)) }

  @Test(arguments: [
    ([], true), (["http://localhost"], true), (["http://localhost:8080"], true),
    (["https://127.0.0.1:1"], true),
    (["http://[::1]:80"], true), (["HTTP://LOCALHOST"], true), (["http://evil.example"], false),
    (["http://localhost.evil.example"], false), (["http://localhost@evil.example"], false),
    (["http://localhost:80@evil.example"], false), (["http://127.0.0.1.evil.example"], false),
    (["null"], false),
    ([""], false), (["http://"], false), (["file://localhost"], false),
    (["http://localhost", "http://localhost"], false),
    (["http://localhost:99999"], false), (["http://[::1]evil"], false), (["http://[::1"], false),
    (["http://localhost/"], false),
  ])
  func origin(_ values: [String], _ isAdmitted: Bool) {
    #expect(OriginPolicy.admits(values) == isAdmitted)
  }

  @Test(arguments: [
    ([], true), (["localhost"], true), (["LOCALHOST:8081"], true), (["127.0.0.1:1"], true),
    (["127.1.2.3"], true), (["[::1]:80"], true), (["Proxy.example"], true), (["proxy.example:443"], true),
    (["evil.example"], false), (["localhost.evil.example"], false), (["127.0.0.1.evil.example"], false),
    (["127.0.0.256"], false), (["127.0.0"], false), (["128.0.0.1"], false), (["10.0.0.1"], false),
    (["localhost", "localhost"], false), ([""], false), (["localhost:99999"], false), (["[::2]"], false),
  ])
  func host(_ values: [String], _ isAdmitted: Bool) {
    #expect(HostPolicy(allowed: ["proxy.EXAMPLE"]).admits(values) == isAdmitted)
  }
}
