internal import Supervision

/// The real order of the phases, with a step too many or too few.
struct BrokenShutdownOrder: ShutdownPolicy {
  private var order: ShutdownOrder
  private let bug: PlantedBug

  init(order: ShutdownOrder, bug: PlantedBug) {
    self.order = order
    self.bug = bug
  }

  var phase: ShutdownOrder.Phase { self.order.phase }

  mutating func handle(_ event: ShutdownOrder.Event) -> [ShutdownOrder.Effect] {
    let effects = self.order.handle(event)
    switch self.bug {
    case .reportsTwice where effects.contains(.report): return effects + [.report]
    case .skipsSweep where effects.contains(.sweep): return self.order.handle(.swept)
    default: return effects
    }
  }
}
