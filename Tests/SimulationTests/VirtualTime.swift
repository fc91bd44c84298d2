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
        for child in [2 * parent + 1, 2 * parent + 2]
        where child < self.heap.count && self.heap[child] < self.heap[smallest] {
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
