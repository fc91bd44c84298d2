internal import ProcCtl

/// What a history has to say about a worker, in sentences: why it was last restarted or stopped, or why it
/// does not run. A value; equal events at an equal time make equal words.
package struct WorkerStory: Sendable {
  private let name: String
  private let events: [WorkerEvent]
  private let masters: [WorkerEvent]
  private let masterLives: Bool
  private let now: Microseconds

  /// How many earlier ends are told.
  private static let mostEarlier = 5

  /// - Parameters:
  ///   - masterLives: Whether the master that wrote last still runs.
  ///   - now: Since 1970.
  package init(of worker: String, in history: WorkerHistory, masterLives: Bool, now: Microseconds) {
    self.name = worker
    self.events = history.events(of: worker)
    self.masters = history.events(of: "")
    self.masterLives = masterLives
    self.now = now
  }

  package var port: UInt16? { self.events.last { $0.port != nil }?.port }

  private var subject: String { self.name + (self.port.map { " (port \($0))" } ?? "") }

  private func ago(_ event: WorkerEvent) -> String {
    "\(Microseconds(max(0, self.now.count - event.at.count)).text) ago"
  }

  /// The sentences, the most important first; empty if nothing is recorded.
  package var sentences: [String] {
    guard let last = self.events.last(where: { $0.kind != .commanded }) else { return [] }
    var sentences: [String] = []
    switch last.kind {
    case .started, .ready: sentences = self.runs
    case .waiting: sentences = self.waits(last)
    case .blocked:
      sentences = ["\(self.subject) cannot be started, since \(self.ago(last)): \(self.obstacle(of: last))."]
    case .stopped: sentences = self.stopped(last)
    case .failed:
      sentences = ["\(self.subject) failed \(self.ago(last)): \(last.reason ?? "nobody can say why")."]
      sentences.append("It is not started again by itself.")
    case .stopping, .leaderEnded:
      let end = self.end(before: self.events.count) ?? "nobody has said why"
      sentences = ["\(self.subject) is being ended, since \(self.ago(last)): \(end)."]
    case .commanded, .masterBegan, .masterEnded: break
    }
    if let sentence = self.masterIsGone { sentences.append(sentence) }
    return sentences
  }

  /// Ends before the last one, the newest first, each with its date.
  package var earlier: [String] {
    let ends = self.events.indices.filter { self.events[$0].kind == .leaderEnded }
    return ends.dropLast().suffix(Self.mostEarlier).reversed().map { index in
      "\(self.events[index].at.date): \(self.leaderEnd(self.events[index]))"
    }
  }

  // MARK: How it stands

  private var runs: [String] {
    guard let start = self.events.lastIndex(where: { $0.kind == .started }) else { return [] }
    let started = self.events[start]
    let pid = started.pid.map { " as pid \($0)" } ?? ""
    let ready = self.events[start...].first { $0.kind == .ready }
    var how = ready.map { "became ready after \($0.after?.text ?? "some time")" } ?? "is not ready yet"
    if let pid = ready?.pid, started.pid != pid { how += " (pid \(pid))" }
    var sentences: [String]
    if let end = self.end(before: start), self.isCommanded(start) {
      sentences = [
        "\(self.subject) was started again \(self.ago(started)), as somebody commanded. Before that, \(end).",
        "It was started\(pid) and \(how).",
      ]
    } else if let end = self.end(before: start) {
      sentences = [
        "\(self.subject) was restarted \(self.ago(started)): \(end).",
        "It was started\(pid) and \(how).",
      ]
    } else {
      sentences = [
        "\(self.subject) was started \(self.ago(started))\(pid) and \(how).",
        "It has not been restarted since.",
      ]
    }
    if let count = self.countOfStarts(through: start) { sentences.append(count) }
    return sentences
  }

  /// Whether it would not have been started then by itself.
  private func isCommanded(_ start: Int) -> Bool {
    let last = self.events[..<start].last { $0.kind == .commanded || $0.kind == .leaderEnded }
    return last?.kind == .commanded && last?.command == .start
  }

  private func stopped(_ stopped: WorkerEvent) -> [String] {
    let past = self.events.filter { $0.kind != .commanded }
    let before = past.dropLast().last
    let end = self.end(before: self.events.count)
    if before?.kind == .waiting {
      let waited = "\(self.subject) did not run and was stopped before its next try, \(self.ago(stopped))."
      let blocked = past.last { $0.kind == .blocked || $0.kind == .leaderEnded }
      if let blocked, blocked.kind == .blocked {
        return [waited, "It could not be started: \(self.obstacle(of: blocked))."]
      }
      return [waited] + (end.map { ["Before that, \($0)."] } ?? [])
    }
    guard let end else {
      return ["\(self.subject) was stopped \(self.ago(stopped))\(stopped.reason.map { ": \($0)" } ?? "")."]
    }
    return ["\(self.subject) was stopped \(self.ago(stopped)): \(end)."]
  }

  private func waits(_ waiting: WorkerEvent) -> [String] {
    let due = waiting.at.count + (waiting.next?.count ?? 0) - self.now.count
    let next = due > 0 ? "The next try is in \(Microseconds(due).text)." : "The next try is due now."
    let before = self.events.dropLast().last { $0.kind == .blocked || $0.kind == .leaderEnded }
    var sentences: [String]
    if let before, before.kind == .blocked {
      let tries = waiting.times ?? 1
      sentences = [
        "\(self.subject) cannot be started, since \(self.ago(before)): \(self.obstacle(of: before)).",
        "It has been tried \(tries == 1 ? "once" : "\(tries) times").",
      ]
    } else {
      let end = self.end(before: self.events.count) ?? "nobody has said why"
      sentences = ["\(self.subject) does not run: \(end)."]
      if let count = self.countOfStarts(through: self.events.count - 1) { sentences.append(count) }
    }
    return sentences + (self.masterIsGone == nil ? [next] : [])
  }

  // MARK: Why it ended

  /// Why the start before this event ended; nil if there was none under the same master.
  private func end(before index: Int) -> String? {
    let since = self.masterBegan
    let past = self.events[..<index]
    guard let stopping = past.lastIndex(where: { $0.kind == .stopping }), past[stopping].at >= since else {
      return past.last { $0.kind == .leaderEnded && $0.at >= since }.map(self.leaderEnd)
    }
    let started = past[..<stopping].lastIndex { $0.kind == .started } ?? past.startIndex
    // Its end may be what began it all, or what it led to.
    let leader = past[started...].last { $0.kind == .leaderEnded }
    let ended = leader.map { "; \(self.leaderEnd($0))" } ?? ""
    let reason = past[stopping].reason ?? ""
    switch past[stopping].cause {
    case .command?:
      let command = past[started..<stopping].last { $0.kind == .commanded }?.command
      return "somebody commanded it to \(command == .restart ? "restart" : "stop")\(ended)"
    case .shutdown?: return "its master was stopped\(ended)"
    case .neverReady?: return "it was \(reason.isEmpty ? "not ready in time" : reason)\(ended)"
    case .unhealthy?: return "its check failed\(reason.isEmpty ? "" : " (\(reason))")\(ended)"
    default: return leader.map(self.leaderEnd) ?? (reason.isEmpty ? nil : reason)
    }
  }

  private func leaderEnd(_ event: WorkerEvent) -> String {
    var text = "its leader\(event.pid.map { " (pid \($0))" } ?? "") "
    if let signal = event.signal {
      text += "was killed by \(signal == event.sent ? "our " : "")\(signal)"
      if event.coreDumped == true { text += " (core dumped)" }
    } else {
      text += "exited with status \(event.exitStatus ?? 0)"
      if let sent = event.sent { text += " after our \(sent)" }
    }
    if let after = event.after {
      text +=
        " \(after.text) after it \(event.wasReady == true ? "became ready" : "was started, before it was ready")"
    }
    return text
  }

  private func obstacle(of blocked: WorkerEvent) -> String {
    // The master's words end in what it does next, which is no longer so.
    let reason = blocked.reason ?? "nobody can say why"
    return reason.firstRange(of: "; trying again").map { String(reason[..<$0.lowerBound]) } ?? reason
  }

  private func countOfStarts(through index: Int) -> String? {
    let starts = self.events[...index].filter { $0.kind == .started && $0.at >= self.masterBegan }
    guard let first = starts.first, let last = starts.last, let number = last.start, number > 1 else {
      return nil
    }
    let span = Microseconds(last.at.count - first.at.count).text
    let within = first.start == 1 ? " in \(span)" : ", the last \(starts.count) of them in \(span)"
    return "That was the \(Self.ordinal(number)) start\(within)."
  }

  private static func ordinal(_ number: Int) -> String {
    switch (number % 100, number % 10) {
    case (11...13, _): "\(number)th"
    case (_, 1): "\(number)st"
    case (_, 2): "\(number)nd"
    case (_, 3): "\(number)rd"
    default: "\(number)th"
    }
  }

  // MARK: The master

  private var masterBegan: Microseconds {
    self.masters.last { $0.kind == .masterBegan }.map(\.at)
      ?? self.events.first?.at ?? Microseconds(0)
  }

  /// Only if it did not end in order.
  private var masterIsGone: String? {
    guard !self.masterLives, let last = self.masters.last, last.kind == .masterBegan else { return nil }
    let pid = last.pid.map { " (pid \($0))" } ?? ""
    return "Its master\(pid) is gone and has not ended in order; what has happened since is not known."
  }
}
