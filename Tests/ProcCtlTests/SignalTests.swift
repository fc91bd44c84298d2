import ProcCtl
import Testing

@Suite struct SignalTests {
  @Test(
    arguments: [
      ("TERM", 15), ("SIGTERM", 15), ("term", 15), ("15", 15), ("KILL", 9), ("RTMIN", 34), ("RTMIN+3", 37),
      ("SIGRTMAX-1", 63), ("RTMAX", 64), ("64", 64),
    ] as [(String, Int32)])
  func readsNamesAndNumbers(text: String, number: Int32) {
    #expect(Signal(name: text)?.rawValue == number)
  }

  @Test(arguments: ["", "0", "65", "-1", "32", "33", "TERMINATE", "RTMIN+31", "RTMAX-99", "SIG", "RTMIN+"])
  func refusesTheRest(text: String) {
    #expect(Signal(name: text) == nil)
  }

  @Test func everySignalReadsItsOwnName() {
    for signal in Signal.all { #expect(Signal(name: signal.description) == signal, "\(signal)") }
    #expect(Signal.all.count == 62)
  }
}
