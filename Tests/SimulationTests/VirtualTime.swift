import ProcCtl

/// Time that passes only when everything due now has been done.
final class VirtualTime: Scheduler {
  private struct Entry {
    let deadline: MonotonicInstant
    let number: UInt64
    let handler: () -> Void
  }

  private(set) var now = MonotonicInstant(nanoseconds: 1_000_000_000)
  private var entries: [UInt64: Entry] = [:]
  private var heap: [(MonotonicInstant, UInt64)] = []
  private var next: UInt64 = 0

  func schedule(at deadline: MonotonicInstant, _ handler: @escaping () -> Void) -> TimerIdentifier {
    self.next += 1
    self.entries[self.next] = Entry(deadline: max(deadline, self.now), number: self.next, handler: handler)
    self.push((max(deadline, self.now), self.next))
    return TimerIdentifier(number: self.next)
  }

  func after(_ duration: Duration, _ handler: @escaping () -> Void) {
    _ = self.schedule(at: self.now.advanced(by: duration), handler)
  }

  func cancel(_ timer: TimerIdentifier) {
    self.entries[timer.number] = nil
  }

  /// Does the next thing that is due; false if nothing is planned.
  func step() -> Bool {
    while let (deadline, number) = self.pop() {
      guard let entry = self.entries.removeValue(forKey: number) else { continue }
      self.now = deadline
      entry.handler()
      return true
    }
    return false
  }

  private func push(_ element: (MonotonicInstant, UInt64)) {
    self.heap.append(element)
    var child = self.heap.count - 1
    while child > 0, self.heap[child] < self.heap[(child - 1) / 2] {
      self.heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private func pop() -> (MonotonicInstant, UInt64)? {
    guard let first = self.heap.first else { return nil }
    let last = self.heap.removeLast()
    if !self.heap.isEmpty {
      self.heap[0] = last
      var parent = 0
      while true {
        var smallest = parent
        for child in [2 * parent + 1, 2 * parent + 2] where child < self.heap.count && self.heap[child] < self.heap[smallest] {
          smallest = child
        }
        if smallest == parent { break }
        self.heap.swapAt(parent, smallest)
        parent = smallest
      }
    }
    return first
  }
}

/// A small seeded generator: the same seed, the same run.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    self.state = seed
  }

  mutating func next() -> UInt64 {
    self.state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = self.state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration { .milliseconds(Int.random(in: range, using: &self)) }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}
