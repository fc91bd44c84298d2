import Glibc
import Synchronization
import SystemPackage
import SystemdNotify
import TemporaryFiles
import Testing

extension FileWriter {
  /// One without a thread: whatever is handed over is done when the call returns.
  static var onTheSpot: FileWriter { FileWriter(startThread: { _ in EAGAIN }) }
}

/// A disk that does not answer until it is told to. It lets everybody go in the end.
final class StuckDisk: Sendable {
  private let descriptors: (reading: Int32, writing: Int32)
  private let holds: (reading: Int32, writing: Int32)

  init() throws {
    func pipe() throws -> (Int32, Int32) {
      var ends: [Int32] = [-1, -1]
      guard Glibc.pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
      return (ends[0], ends[1])
    }
    self.descriptors = try pipe()
    self.holds = try pipe()
  }

  deinit {
    for end in [self.descriptors, self.holds] {
      close(end.reading)
      close(end.writing)
    }
  }

  /// For a job: hangs until ``answer()``.
  func hang() {
    var byte: UInt8 = 1
    write(self.holds.writing, &byte, 1)
    read(self.descriptors.reading, &byte, 1)
  }

  /// Returns once a job hangs; false if none does for long.
  func holdsOne() -> Bool {
    var watch = pollfd(fd: self.holds.reading, events: Int16(POLLIN), revents: 0)
    guard poll(&watch, 1, 20_000) == 1 else { return false }
    var byte: UInt8 = 0
    return read(self.holds.reading, &byte, 1) == 1
  }

  func answer() {
    var byte: UInt8 = 1
    write(self.descriptors.writing, &byte, 1)
  }
}

/// A value that threads share.
private final class Shared<Value: Sendable>: Sendable {
  private let content: Mutex<Value>
  init(_ value: Value) { self.content = Mutex(value) }
  var value: Value {
    get { self.content.withLock { $0 } }
    set { self.content.withLock { $0 = newValue } }
  }
  func change(_ body: (inout Value) -> Void) {
    self.content.withLock {
      var value = $0
      body(&value)
      $0 = value
    }
  }
}

/// What jobs have done, in order.
private final class Done: Sendable {
  private let numbers = Mutex<[Int]>([])
  var all: [Int] { self.numbers.withLock { $0 } }
  func add(_ number: Int) { self.numbers.withLock { $0.append(number) } }
}

@Suite("What is written to files beside the loop", .serialized)
struct FileWriterTests {
  private static let long = Duration.seconds(30)

  @Test("is done in order, by another thread, and nobody waits for a disk that does not answer")
  func order() throws {
    let writer = FileWriter()
    let disk = try StuckDisk()
    let done = Done()
    let own = pthread_self()
    let isOther = Shared(false)
    #expect(
      writer.submit(bytes: 1) {
        isOther.value = pthread_self() != own
        disk.hang()
      })
    try #require(disk.holdsOne())
    for number in 0..<5000 { #expect(writer.submit(bytes: 1) { done.add(number) }) }
    #expect(done.all.isEmpty && writer.drain(within: .zero) == 5001)
    disk.answer()
    #expect(writer.drain(within: Self.long) == 0)
    #expect(done.all == Array(0..<5000))
    #expect(isOther.value)
  }

  @Test("what waits is bounded by its number and by its bytes, but for what must not be lost")
  func bounds() throws {
    for limits in [FileWriter.Limits(jobs: 3, bytes: 1000), .init(jobs: 1000, bytes: 40)] {
      let writer = FileWriter(limits: limits)
      let disk = try StuckDisk()
      let done = Done()
      #expect(writer.submit(bytes: 10) { disk.hang() })
      try #require(disk.holdsOne())
      for number in 0..<3 { #expect(writer.submit(bytes: 10) { done.add(number) }) }
      for _ in 0..<3 { #expect(!writer.submit(bytes: 10) { done.add(-1) }) }
      #expect(writer.submit(bytes: 10, always: true) { done.add(3) })
      disk.answer()
      #expect(writer.drain(within: Self.long) == 0)
      #expect(done.all == [0, 1, 2, 3])
      // There is room again.
      #expect(writer.submit(bytes: 10) { done.add(4) })
      #expect(writer.drain(within: Self.long) == 0)
      #expect(done.all.last == 4)
    }
  }

  @Test("one thing is taken however large it is")
  func large() {
    let writer = FileWriter(limits: .init(jobs: 1, bytes: 1))
    let done = Done()
    #expect(writer.submit(bytes: 1 << 30) { done.add(1) })
    #expect(writer.drain(within: Self.long) == 0 && done.all == [1])
  }

  @Test("at the end it is waited for, but not for ever")
  func drain() throws {
    let writer = FileWriter()
    let disk = try StuckDisk()
    #expect(writer.submit(bytes: 1) { disk.hang() })
    #expect(writer.submit(bytes: 1) {})
    try #require(disk.holdsOne())
    let before = SuspendingClock.now
    #expect(writer.drain(within: .milliseconds(50)) == 2)
    #expect(SuspendingClock.now - before >= .milliseconds(50))
    disk.answer()
    // Control: the one that can be done is waited for.
    #expect(writer.drain(within: Self.long) == 0)
  }

  @Test("without a thread it is done by who hands it over, in order, and the next one tries again")
  func noThread() throws {
    let refuses = Shared(true)
    let writer = FileWriter(startThread: { body in
      refuses.value ? EAGAIN : FileWriterThread.start(body)
    })
    let done = Done()
    let own = pthread_self()
    #expect(
      writer.submit(bytes: 1) {
        if pthread_self() == own { done.add(1) }
        // From a job: after those before it, and no deeper in the stack.
        _ = writer.submit(bytes: 1) { done.add(3) }
        done.add(2)
      })
    #expect(done.all == [1, 2, 3] && writer.drain(within: .zero) == 0)
    refuses.value = false
    #expect(writer.submit(bytes: 1) { done.add(pthread_self() == own ? -1 : 4) })
    #expect(writer.drain(within: Self.long) == 0)
    #expect(done.all == [1, 2, 3, 4])
  }

  @Test("the thread is over when there is nothing to do, and there again when there is")
  func idle() throws {
    let started = Shared(0)
    let ended = Shared(0)
    let over = try StuckDisk()
    let writer = FileWriter(startThread: { body in
      started.change { $0 += 1 }
      return FileWriterThread.start {
        body()
        ended.change { $0 += 1 }
        over.hang()
      }
    })
    for number in 1...2 {
      #expect(writer.submit(bytes: 1) {})
      #expect(over.holdsOne(), "it has ended by itself")
      over.answer()
      #expect(started.value == number && ended.value == number)
    }
  }

  @Test("no signal is handled on its thread but for its own faults")
  func signals() throws {
    let writer = FileWriter()
    let blocked = Shared<[Int32]>([])
    var before = sigset_t()
    pthread_sigmask(SIG_SETMASK, nil, &before)
    #expect(
      writer.submit(bytes: 1) {
        var mask = sigset_t()
        pthread_sigmask(SIG_SETMASK, nil, &mask)
        blocked.value = (1..<32).filter { sigismember(&mask, $0) == 1 }
      })
    #expect(writer.drain(within: Self.long) == 0)
    let open = [SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP]
    #expect(blocked.value == (1..<32).filter { !open.contains($0) })
    var after = sigset_t()
    pthread_sigmask(SIG_SETMASK, nil, &after)
    #expect((1..<65).allSatisfy { sigismember(&before, $0) == sigismember(&after, $0) }, "ours is as it was")
  }

  @Test("that it is held up is said once, and once that it goes on")
  func heldUp() throws {
    let writer = FileWriter()
    let disk = try StuckDisk()
    let notices = Shared<[String]>([])
    writer.whenHeldUp { notice in
      notices.change { $0.append("\(notice)") }
      _ = writer.submit(bytes: 1) {}
    }
    for _ in 0..<2 {
      notices.value = []
      #expect(writer.submit(bytes: 1) { disk.hang() })
      try #require(disk.holdsOne())
      #expect(writer.drain(within: FileWriter.patience + .milliseconds(1)) > 0)
      #expect(writer.isHeldUp)
      for _ in 0..<3 { #expect(writer.submit(bytes: 1) {}) }
      #expect(notices.value == ["heldUp"])
      disk.answer()
      #expect(writer.drain(within: Self.long) == 0)
      #expect(!writer.isHeldUp && notices.value == ["heldUp", "goesOn"])
    }
  }
}

@Suite("A log on a disk that does not answer", .serialized)
struct HeldUpLogTests {
  @Test("keeps lines in order, counts those that are too many, and says how many when it goes on")
  func gap() throws {
    let directory = try TemporaryDirectory()
    let writer = FileWriter(limits: .init(jobs: 3))
    let disk = try StuckDisk()
    let complaints = Complaints()
    let file = LogFile(
      directory.path.appending("a.log"), limits: .init(size: 0, keep: 0), writer: writer,
      complain: { complaints.add($0) })
    try file.open()
    #expect(writer.submit(bytes: 1) { disk.hang() })
    try #require(disk.holdsOne())
    for number in 1...5 { file.write(line: Array("line \(number)".utf8)) }
    #expect(file.lostLines == 2)
    #expect(try directory.text("a.log") == "")
    disk.answer()
    #expect(writer.drain(within: .seconds(30)) == 0)
    for number in 6...7 { file.write(line: Array("line \(number)".utf8)) }
    #expect(writer.drain(within: .seconds(30)) == 0)
    #expect(
      try directory.text("a.log")
        == "line 1\nline 2\nline 3\n2 lines are missing here: the disk did not take more\nline 6\nline 7\n")
    #expect(file.lostLines == 2 && complaints.all.isEmpty)
  }

  @Test("is opened anew once all is written that was said before")
  func reopen() throws {
    let directory = try TemporaryDirectory()
    let writer = FileWriter()
    let disk = try StuckDisk()
    let path = directory.path.appending("a.log")
    let file = LogFile(path, limits: .init(size: 0, keep: 0), writer: writer, complain: { _ in })
    try file.open()
    #expect(writer.submit(bytes: 1) { disk.hang() })
    try #require(disk.holdsOne())
    file.write(line: Array("before".utf8))
    #expect(rename(path.string, directory.path.appending("moved").string) == 0)
    let isReopened = Shared(false)
    #expect(file.reopen { isReopened.value = $0 == nil })
    file.write(line: Array("after".utf8))
    #expect(!isReopened.value)
    disk.answer()
    #expect(writer.drain(within: .seconds(30)) == 0)
    #expect(isReopened.value)
    #expect(try directory.text("moved") == "before\n")
    #expect(try directory.text("a.log") == "after\n")
  }
}
