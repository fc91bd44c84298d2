import SeededRandom
import Testing

@testable import ProcCtl

@Suite struct TimerQueueTests {
  @Test func firesInOrderOfDeadlineThenOfArming() {
    var random = SeededRandom(seed: 3)
    var queue = TimerQueue()
    var expected: [(Int64, Int)] = []
    nonisolated(unsafe) var fired: [Int] = []
    var cancelled: Set<Int> = []
    var numbers: [UInt64] = []
    for index in 0..<500 {
      let deadline = Int64(random.next() % 50)
      numbers.append(queue.insert(deadline: MonotonicInstant(nanoseconds: deadline)) { fired.append(index) })
      expected.append((deadline, index))
    }
    for index in 0..<500 where random.next() % 3 == 0 {
      queue.remove(numbers[index])
      cancelled.insert(index)
    }
    while let handler = queue.popDue(at: MonotonicInstant(nanoseconds: 100)) { handler() }
    let order = expected.filter { !cancelled.contains($0.1) }.sorted { $0 < $1 }.map(\.1)
    #expect(fired == order)
    #expect(queue.isEmpty)
    #expect(queue.earliestDeadline == nil)
  }

  @Test func nothingIsDueBeforeItsTime() {
    var queue = TimerQueue()
    _ = queue.insert(deadline: MonotonicInstant(nanoseconds: 10)) {}
    #expect(queue.popDue(at: MonotonicInstant(nanoseconds: 9)) == nil)
    #expect(queue.earliestDeadline == MonotonicInstant(nanoseconds: 10))
  }
}
