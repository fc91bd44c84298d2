import Supervision
import Testing

@Suite struct ShutdownOrderTests {
  @Test func eachPhaseOnceAndInOrder() {
    var order = ShutdownOrder()
    let path: [(ShutdownOrder.Event, ShutdownOrder.Effect)] = [
      (.stop, .stopWorkers), (.workersEnded, .sweep), (.swept, .verify), (.verified, .clean),
      (.cleaned, .report),
    ]
    for (event, effect) in path {
      #expect(order.handle(event) == [effect])
    }
    #expect(order.phase == .ended)
  }

  @Test func nothingIsLeftOutOrRepeated() {
    var order = ShutdownOrder()
    // Workers can all be ended, by command, while the master runs.
    for event in ShutdownOrder.Event.allCases where event != .stop { #expect(order.handle(event).isEmpty) }
    #expect(order.phase == .running)
    _ = order.handle(.stop)
    for event in ShutdownOrder.Event.allCases where event != .workersEnded {
      #expect(order.handle(event).isEmpty)
    }
    _ = order.handle(.workersEnded)
    #expect(order.handle(.workersEnded).isEmpty)
    _ = order.handle(.verified)
    _ = order.handle(.cleaned)
    for event in ShutdownOrder.Event.allCases { #expect(order.handle(event).isEmpty) }
  }
}
