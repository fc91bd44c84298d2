import CHostProgram
import Glibc

/// One child and its orphan, followed by what the kernel tells of them.
struct ObservedChild {
  enum Stage: Equatable {
    /// It has not named itself and its orphan yet.
    case printing
    /// Both are known; the child runs.
    case running
    /// The child has ended; its orphan is kept alive until then.
    case lingering(until: ContinuousClock.Instant)
    /// The orphan's input has ended.
    case releasing
    /// The orphan has ended and is a zombie, or was one.
    case ended(ContinuousClock.Instant)
    /// Nobody of the two is left, or nobody more can be learned.
    case done
  }

  let plan: ChildPlan
  let streams: ChildStreams
  private(set) var stage = Stage.printing
  var answer: Answer?
  private(set) var problems: [String] = []
  private(set) var wasAdopted = false
  /// From the orphan's end to its reaping.
  private(set) var zombieTime: Duration?
  private var printed = ""
  private var child: Int32?
  private var orphan: Int32?
  private var childDescriptor: Int32 = -1
  private var orphanDescriptor: Int32 = -1

  init(plan: ChildPlan, streams: ChildStreams) {
    self.plan = plan
    self.streams = streams
  }

  /// What to poll(2) for now, if anything.
  var interest: pollfd? {
    switch self.stage {
    case .printing: pollfd(fd: self.streams.outputRead, events: Int16(POLLIN), revents: 0)
    case .running: pollfd(fd: self.childDescriptor, events: Int16(POLLIN), revents: 0)
    case .releasing: pollfd(fd: self.orphanDescriptor, events: Int16(POLLIN), revents: 0)
    // Hung up means reaped (Linux 6.9); an older kernel is asked once, at the deadline.
    case .ended: pollfd(fd: self.orphanDescriptor, events: 0, revents: 0)
    case .lingering, .done: nil
    }
  }

  /// Something happened to what ``interest`` named.
  mutating func happened(linger: Duration) {
    let now = ContinuousClock.now
    switch self.stage {
    case .printing: self.readNames()
    case .running:
      close(self.childDescriptor)
      self.checkAdoption()
      self.stage = .lingering(until: self.plan.lingers ? now.advanced(by: linger) : now)
    case .releasing: self.stage = .ended(now)
    case .ended(let end): self.finish(reapedAfter: end.duration(to: now))
    case .lingering, .done: break
    }
  }

  /// When ``release()`` is due.
  var releaseTime: ContinuousClock.Instant? {
    if case .lingering(let until) = self.stage { until } else { nil }
  }

  /// Lets the orphan end.
  mutating func release() {
    if self.plan.library == .procctl { self.checkNothingIsReported() }
    close(self.streams.inputWrite)
    self.stage = .releasing
  }

  /// ProcCtl says nothing of the end, and keeps the zombie, while what the child left runs.
  private mutating func checkNothingIsReported() {
    if let answer = self.answer {
      self.problems.append("\(answer) while its orphan \(self.orphan ?? 0) still ran")
    } else if let child = self.child, ProcessTable.entry(of: child)?.state != "Z" {
      self.problems.append("\(child) was reaped while its orphan \(self.orphan ?? 0) still ran")
    }
  }

  /// The deadline is over.
  mutating func giveUp() {
    switch self.stage {
    case .done: return
    case .ended(let end):
      guard let orphan = self.orphan, let entry = ProcessTable.entry(of: orphan) else {
        return self.finish(reapedAfter: end.duration(to: .now))
      }
      self.problems.append("orphan \(entry) not reaped after \(end.duration(to: .now))")
    case .printing, .running, .lingering, .releasing:
      self.problems.append("still \(self.stage) at the deadline")
    }
    self.stage = .done
  }

  private mutating func finish(reapedAfter time: Duration) {
    self.zombieTime = time
    close(self.orphanDescriptor)
    self.stage = .done
  }

  private mutating func readNames() {
    var chunk = [UInt8](repeating: 0, count: 256)
    let count = read(self.streams.outputRead, &chunk, chunk.count)
    guard count > 0 else {
      if count < 0, errno == EINTR { return }
      self.problems.append("named no orphan: \"\(self.printed)\"")
      self.stage = .done
      return
    }
    self.printed += String(decoding: chunk.prefix(count), as: UTF8.self)
    for line in self.printed.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let words = line.split(separator: " ")
      guard words.count == 2, let pid = Int32(words[1]) else { continue }
      if words[0] == "child" { self.child = pid }
      if words[0] == "orphan" { self.orphan = pid }
    }
    guard let child = self.child, let orphan = self.orphan else { return }
    close(self.streams.outputRead)
    self.orphanDescriptor = host_pidfd_open(orphan)
    guard self.orphanDescriptor >= 0 else {
      self.problems.append("orphan \(orphan) ended before it was let go")
      self.stage = .done
      return
    }
    // Reaped already: its library was fast.
    self.childDescriptor = host_pidfd_open(child)
    self.stage = .running
    if self.childDescriptor < 0 { self.happened(linger: .zero) }
  }

  /// The child waited for all between it and its orphan, so the orphan is ours now.
  private mutating func checkAdoption() {
    guard let orphan = self.orphan, let entry = ProcessTable.entry(of: orphan) else {
      self.problems.append("orphan \(self.orphan ?? 0) is gone before it was let go")
      return
    }
    self.wasAdopted = entry.parent == getpid()
    if !self.wasAdopted { self.problems.append("orphan \(entry) went to \(entry.parent)") }
  }
}
