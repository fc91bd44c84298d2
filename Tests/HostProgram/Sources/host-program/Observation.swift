import Glibc

/// Follows all children and orphans to their ends, on one thread.
struct Observation {
  private(set) var children: [ObservedChild]
  private let answers: Answers
  private let linger: Duration

  /// - Parameter linger: How long an orphan that lingers outlives its child.
  init(plans: [ChildPlan], answers: Answers, linger: Duration) throws(Failure) {
    var children: [ObservedChild] = []
    for plan in plans {
      children.append(ObservedChild(plan: plan, streams: try ChildStreams()))
    }
    self.children = children
    self.answers = answers
    self.linger = linger
  }

  /// Returns when every child is accounted for, or at the deadline.
  mutating func run(until deadline: ContinuousClock.Instant) throws(Failure) {
    while !self.isComplete {
      self.releaseOrphans()
      var indices: [Int] = []
      var descriptors = [pollfd(fd: self.answers.readySignal, events: Int16(POLLIN), revents: 0)]
      for index in self.children.indices {
        guard let interest = self.children[index].interest else { continue }
        indices.append(index)
        descriptors.append(interest)
      }
      let wakeUp = self.children.compactMap(\.releaseTime).reduce(deadline, min)
      guard poll(&descriptors, nfds_t(descriptors.count), self.milliseconds(until: wakeUp)) >= 0 else {
        if errno == EINTR { continue }
        throw Failure("poll: errno \(errno)")
      }
      if descriptors[0].revents != 0 {
        for (child, answer) in self.answers.take() { self.children[child].answer = answer }
      }
      for (index, descriptor) in zip(indices, descriptors.dropFirst()) where descriptor.revents != 0 {
        self.children[index].happened(linger: self.linger)
      }
      if ContinuousClock.now >= deadline { break }
    }
    for index in self.children.indices { self.children[index].giveUp() }
  }

  private var isComplete: Bool {
    self.children.allSatisfy { $0.stage == .done && $0.answer != nil }
  }

  private mutating func releaseOrphans() {
    let now = ContinuousClock.now
    for index in self.children.indices {
      if let time = self.children[index].releaseTime, time <= now { self.children[index].release() }
    }
  }

  /// Rounded up, or the last millisecond would be spent asking again and again.
  private func milliseconds(until instant: ContinuousClock.Instant) -> Int32 {
    let left = ContinuousClock.now.duration(to: instant)
    return Int32(clamping: max(0, Int64((left / .milliseconds(1)).rounded(.up))))
  }
}
