/// Timers by deadline, in a binary heap; equal deadlines fire in the order they
/// were armed. A cancelled timer leaves the heap when it would have fired, or
/// when more than half of the heap is cancelled.
package struct TimerQueue {
  package init() {}

  private struct Entry {
    let deadline: MonotonicInstant
    let number: UInt64

    static func < (left: Entry, right: Entry) -> Bool {
      (left.deadline, left.number) < (right.deadline, right.number)
    }
  }

  private var heap: [Entry] = []
  private var handlers: [UInt64: () -> Void] = [:]
  private var nextNumber: UInt64 = 0

  package var isEmpty: Bool { self.handlers.isEmpty }

  package mutating func insert(deadline: MonotonicInstant, handler: @escaping () -> Void) -> UInt64 {
    let number = self.nextNumber
    self.nextNumber += 1
    self.handlers[number] = handler
    self.heap.append(Entry(deadline: deadline, number: number))
    self.siftUp(from: self.heap.count - 1)
    return number
  }

  package mutating func remove(_ number: UInt64) {
    guard self.handlers.removeValue(forKey: number) != nil else { return }
    if self.heap.count > 64, self.heap.count > 2 * self.handlers.count { self.compact() }
  }

  /// When the next handler is due; nil if none is armed.
  package var earliestDeadline: MonotonicInstant? {
    mutating get {
      self.dropCancelled()
      return self.heap.first?.deadline
    }
  }

  /// Takes out the earliest handler if it is due.
  package mutating func popDue(at now: MonotonicInstant) -> (() -> Void)? {
    self.dropCancelled()
    guard let first = self.heap.first, first.deadline <= now else { return nil }
    self.removeFirst()
    return self.handlers.removeValue(forKey: first.number)
  }

  private mutating func dropCancelled() {
    while let first = self.heap.first, self.handlers[first.number] == nil { self.removeFirst() }
  }

  private mutating func compact() {
    self.heap.removeAll { self.handlers[$0.number] == nil }
    self.heap.sort { $0 < $1 }
  }

  private mutating func removeFirst() {
    let last = self.heap.removeLast()
    guard !self.heap.isEmpty else { return }
    self.heap[0] = last
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < self.heap.count && self.heap[child] < self.heap[smallest] {
        smallest = child
      }
      guard smallest != parent else { return }
      self.heap.swapAt(parent, smallest)
      parent = smallest
    }
  }

  private mutating func siftUp(from index: Int) {
    var child = index
    while child > 0 {
      let parent = (child - 1) / 2
      guard self.heap[child] < self.heap[parent] else { return }
      self.heap.swapAt(child, parent)
      child = parent
    }
  }
}
