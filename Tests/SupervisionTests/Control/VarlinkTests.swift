import SeededRandom
import Supervision
import SystemPackage
import Testing

@Suite("Calls of the control socket, as bytes")
struct VarlinkTests {
  private struct Workers: Codable, Equatable {
    var workers: [String]
    var wait: Bool?
  }
  private struct Nothing: Codable, Equatable {}

  private func read(_ text: String) -> Result<ControlRequest, VarlinkError>? {
    ControlRequest.read(Array(text.utf8))?.request
  }

  private func master(_ method: String, _ rest: String = "") -> Result<ControlRequest, VarlinkError>? {
    self.read("{\"method\":\"dev.procctl.Master.\(method)\"\(rest)}")
  }

  @Test("a stream is taken apart, however it is cut")
  func framing() throws {
    let stream = Array("one\0two\0\0three".utf8)
    for size in 1...stream.count {
      var framing = VarlinkFraming(limit: 16)
      var messages: [[UInt8]] = []
      for start in stride(from: 0, to: stream.count, by: size) {
        messages += try framing.receive(stream[start..<min(start + size, stream.count)])
      }
      #expect(messages.map { String(decoding: $0, as: UTF8.self) } == ["one", "two", ""])
    }
  }

  @Test("a message that is too long is refused, complete or not")
  func tooLong() throws {
    var framing = VarlinkFraming(limit: 3)
    #expect(try framing.receive(Array("abc\0abc".utf8)).count == 1)
    #expect(throws: VarlinkFraming.TooLong()) { try framing.receive([1]) }
    var other = VarlinkFraming(limit: 3)
    #expect(throws: VarlinkFraming.TooLong()) { try other.receive(Array("abcd\0".utf8)) }
  }

  @Test("what can be asked")
  func requests() {
    #expect(self.read("{\"method\":\"org.varlink.service.GetInfo\"}") == .success(.info))
    #expect(
      self.read(
        "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"x\"}}")
        == .success(.description("x")))
    #expect(self.master("Status") == .success(.status))
    #expect(self.master("Status", ",\"parameters\":{}") == .success(.status))
    #expect(
      self.master("Stop", ",\"parameters\":{\"workers\":[\"a\",\"b\"]}")
        == .success(.command(.stop, workers: ["a", "b"], waits: true)))
    #expect(
      self.master("Restart", ",\"parameters\":{\"workers\":[\"a\"],\"wait\":false}")
        == .success(.command(.restart, workers: ["a"], waits: false)))
    #expect(self.master("StopMaster") == .success(.stopMaster))
    #expect(self.master("Monitor", ",\"more\":true") == .success(.monitor))
  }

  @Test("what is answered with an error, and which")
  func errors() {
    func name(_ result: Result<ControlRequest, VarlinkError>?) -> String? {
      if case .failure(let error)? = result { error.name } else { nil }
    }
    #expect(name(self.read("{\"method\":\"a.b.C\"}")) == "org.varlink.service.InterfaceNotFound")
    #expect(name(self.read("{\"method\":\"nothing\"}")) == "org.varlink.service.MethodNotFound")
    #expect(name(self.master("Explode")) == "org.varlink.service.MethodNotFound")
    #expect(name(self.master("Stop")) == "org.varlink.service.InvalidParameter")
    #expect(
      name(self.master("Stop", ",\"parameters\":{\"workers\":[]}")) == "org.varlink.service.InvalidParameter")
    #expect(
      name(self.master("Stop", ",\"parameters\":{\"workers\":1}")) == "org.varlink.service.InvalidParameter")
    #expect(name(self.master("Monitor")) == "org.varlink.service.ExpectedMore")
    #expect(self.read("[]") == nil)
    #expect(self.read("") == nil)
    #expect(self.read("{}") == nil)
  }

  @Test("a reply, an error and a last reply are told apart")
  func replies() throws {
    let more = VarlinkMessage.reply(Workers(workers: ["a"]), continues: true)
    #expect(more.last == 0)
    let read = try VarlinkMessage.reply(in: Array(more.dropLast()), as: Workers.self)
    #expect(read.value == Workers(workers: ["a"]) && read.continues)
    let last = Array(VarlinkMessage.reply(Nothing()).dropLast())
    #expect(try !VarlinkMessage.reply(in: last, as: Nothing.self).continues)
    let error = VarlinkError("x.Y", ["worker": "a"])
    #expect(throws: error) {
      try VarlinkMessage.reply(in: Array(VarlinkMessage.error(error).dropLast()), as: Nothing.self)
    }
    #expect(throws: VarlinkError("")) { try VarlinkMessage.reply(in: Array("{".utf8), as: Nothing.self) }
  }

  @Test("both interfaces are described, and every method we have is there")
  func descriptions() throws {
    let text = try #require(ControlInterface.description(of: ControlInterface.name))
    for method in ["Status", "Start", "Stop", "Restart", "StopMaster", "Monitor"] {
      #expect(text.contains("\nmethod \(method)("))
    }
    for error in ["NoSuchWorker", "Stopping"] { #expect(text.contains("\nerror \(error) (")) }
    let service = try #require(ControlInterface.description(of: ControlInterface.service))
    #expect(service.hasPrefix("# ") && service.contains("\ninterface org.varlink.service\n"))
    #expect(ControlInterface.description(of: "x.y") == nil)
  }

  @Test("damaged calls are calls or refused", arguments: 1...4 as ClosedRange<UInt64>)
  func damaged(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let damage = Damage(tokens: ["{", "}", "[", "]", "\"", ":", ",", "true", "null", "\\u0000", "\0"])
    let original = Array(
      ("{\"method\":\"dev.procctl.Master.Stop\",\"parameters\":{\"workers\":[\"a\",\"b\"],\"wait\":true}}\0"
        + "{\"method\":\"org.varlink.service.GetInfo\",\"more\":false,\"oneway\":true}\0").utf8)
    var understood = 0
    for _ in 0..<400 {
      var framing = VarlinkFraming(limit: VarlinkMessage.longestCall)
      let bytes = damage.apply(to: original, using: &random)
      for message in (try? framing.receive(bytes)) ?? [] {
        guard case .success(let request)? = ControlRequest.read(message)?.request else { continue }
        understood += 1
        if case .command(_, let workers, _) = request { #expect(!workers.isEmpty) }
      }
    }
    #expect(understood > 0)
  }

  @Test("deep nesting is no way to our stack")
  func deep() {
    let depth = 30_000
    let nested = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    #expect(self.master("Status", ",\"parameters\":\(nested)") == nil)
  }
}

@Suite("Waiting for what was commanded")
struct WorkerWaitTests {
  @Test("a stop is over when all of them are, whatever they pass through")
  func stop() {
    var wait = WorkerWait(.stop, workers: ["a", "b"])
    for state in [WorkerState.ready, .stopping, .verifying, .backoff, .blocked] { wait.saw("a", in: state) }
    #expect(!wait.isOver)
    wait.saw("a", in: .stopped)
    wait.saw("stranger", in: .stopped)
    #expect(!wait.isOver)
    wait.saw("b", in: .failed)
    #expect(wait.isOver)
  }

  @Test(
    "a start is over when it is ready, or is not going to be soon",
    arguments: [WorkerCommand.start, .restart])
  func start(_ command: WorkerCommand) {
    for (state, isOver) in [
      (WorkerState.waiting, false), (.starting, false), (.stopping, false), (.verifying, false),
      (.ready, true), (.blocked, true), (.backoff, true), (.failed, true), (.stopped, true),
    ] {
      var wait = WorkerWait(command, workers: ["a"])
      wait.saw("a", in: state)
      #expect(wait.isOver == isOver, "\(state)")
      #expect(WorkerWait.isReached(command, "\(state)") == (state == .ready))
    }
    #expect(WorkerWait.isReached(.stop, "stopped") && !WorkerWait.isReached(.stop, "failed"))
  }
}

@Suite("Who may use the control socket, and where it is")
struct ControlAddressTests {
  @Test func peers() {
    let peer = PeerCredentials(pid: 1, user: 1000, group: 1000)
    #expect(peer.mayCommand(1000))
    #expect(!peer.mayCommand(1001))
    #expect(!peer.mayCommand(0))
    #expect(PeerCredentials(pid: 1, user: 0, group: 0).mayCommand(1000))
  }

  @Test("every configuration has a path of its own that fits a socket")
  func paths() {
    let one = ControlAddress.path(of: "/etc/a/procctl.toml", in: "/run/procctl/control")
    let other = ControlAddress.path(of: "/etc/b/procctl.toml", in: "/run/procctl/control")
    #expect(one != other)
    #expect(one.string.hasPrefix("/run/procctl/control/procctl-") && one.string.hasSuffix(".socket"))
    let long = ControlAddress.path(
      of: FilePath("/etc/\(String(repeating: "long", count: 60)).toml"),
      in: "/run/user/1000/procctl/with/a/directory/that/is/rather/long/control")
    #expect(long.string.utf8.count <= 107)
    let odd = ControlAddress.path(of: "/etc/a b/ü\n.toml", in: "/run")
    #expect(odd.string.utf8.allSatisfy { $0 > 32 && $0 < 127 })
    #expect(ControlAddress.path(of: nil, in: "/run").lastComponent?.string.hasPrefix("default-") == true)
  }
}
