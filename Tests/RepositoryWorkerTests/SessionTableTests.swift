import RepositoryWorker
import Testing

@Suite struct SessionTableTests {
  @Test func theLongestUnusedIdleSessionMakesRoom() {
    var table = SessionTable(limit: 2)
    #expect(table.open("a", version: .november2025) != nil)
    #expect(table.open("b", version: .november2025) != nil)
    table.touch("a")
    #expect(table.open("c", version: .november2025) != nil)
    #expect(table.version(of: "a") != nil)
    #expect(table.version(of: "b") == nil)
    #expect(table.count == 2)
  }

  @Test func sessionsInUseMakeNoRoom() {
    var table = SessionTable(limit: 2)
    _ = table.open("a", version: .november2025)
    _ = table.open("b", version: .november2025)
    let sink = RecordingSink()
    _ = table.attach(sink, to: "a")
    #expect(table.beginRequest(.integer(1), in: "b") {} == .admitted)
    #expect(table.open("c", version: .november2025) == nil)
    table.endRequest(.integer(1), in: "b")
    #expect(table.open("c", version: .november2025) != nil)
    #expect(table.version(of: "a") != nil)
    #expect(!sink.isEnded)
  }

  @Test func aSecondStreamTakesThePlaceOfTheFirst() {
    var table = SessionTable(limit: 2)
    _ = table.open("a", version: .november2025)
    let (first, second) = (RecordingSink(), RecordingSink())
    #expect(table.attach(first, to: "a").replaced == nil)
    #expect(table.attach(second, to: "a").replaced === first)
    // The first one's end must not take the second one away.
    table.detach(first, from: "a")
    table.close("a")?.close()
    #expect(second.isEnded)
    #expect(!first.isEnded)
    #expect(!table.attach(first, to: "a").known)
  }

  @Test func requestIDsAreUniqueWhileInFlight() {
    var table = SessionTable(limit: 2)
    _ = table.open("a", version: .november2025)
    #expect(table.beginRequest(.integer(1), in: "a") {} == .admitted)
    #expect(table.beginRequest(.integer(1), in: "a") {} == .duplicateID)
    #expect(table.beginRequest(.string("1"), in: "a") {} == .admitted)
    #expect(table.beginRequest(.integer(1), in: "b") {} == .unknownSession)
    table.endRequest(.integer(1), in: "a")
    #expect(table.cancellation(of: .integer(1), in: "a") == nil)
    #expect(table.beginRequest(.integer(1), in: "a") {} == .admitted)
  }
}
