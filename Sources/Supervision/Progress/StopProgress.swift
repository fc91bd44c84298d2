internal import ProcCtl

/// What a person at a terminal is shown of a stop.
package struct StopProgress: Sendable, Equatable {
  package struct Worker: Sendable, Equatable {
    package var name: String
    package var state: String
    /// Since it came into that state.
    package var elapsed: Duration
    package var step: String?
    package var pid: Int32?
    package var clients: Int?

    package init(
      name: String, state: String, elapsed: Duration, step: String? = nil, pid: Int32? = nil,
      clients: Int? = nil
    ) {
      self.name = name
      self.state = state
      self.elapsed = elapsed
      self.step = step
      self.pid = pid
      self.clients = clients
    }
  }

  package var status: String
  package var stopped: Int
  package var total: Int
  package var elapsed: Duration
  package var budget: Duration
  /// Those still stopping, or the first of them.
  package var workers: [Worker]

  package init(
    status: String, stopped: Int, total: Int, elapsed: Duration, budget: Duration, workers: [Worker]
  ) {
    self.status = status
    self.stopped = stopped
    self.total = total
    self.elapsed = elapsed
    self.budget = budget
    self.workers = workers
  }
}

/// Lays a stop out in a terminal: a line for each worker that is still there, and a bar. A value: what is to
/// be shown and the size in, lines out.
package struct StopProgressLayout: Sendable, Equatable {
  package var columns: Int
  package var rows: Int
  package var isColored: Bool

  package init(columns: Int, rows: Int, isColored: Bool) {
    self.columns = columns
    self.rows = rows
    self.isColored = isColored
  }

  /// How many workers have a line, if so many are left: the log keeps half of the terminal, and the bar and
  /// the number of those left out have a line each.
  package func shownWorkers(of count: Int) -> Int {
    let room = max(self.rows / 2 - 1, 0)
    return count <= room ? count : max(room - 1, 0)
  }

  /// None is wider than the terminal, less one column: in the last one, terminals differ.
  package func lines(for progress: StopProgress) -> [String] {
    guard self.columns > 1, self.rows > 1 else { return [] }
    let left = max(progress.total - progress.stopped, 0)
    let shown = progress.workers.prefix(self.shownWorkers(of: left))
    let width = shown.map { $0.name.count }.max() ?? 0
    var lines = shown.map { self.line(for: $0, nameWidth: width) }
    let hidden = left - shown.count
    if hidden > 0, !shown.isEmpty { lines.append(self.cut("  and \(hidden) more")) }
    return lines + [self.bar(progress)]
  }

  private func line(for worker: StopProgress.Worker, nameWidth: Int) -> String {
    var text = "  " + Self.padded(worker.name, to: nameWidth)
    text += "  " + Self.padded(worker.state, to: 9) + " " + Self.leading(Self.seconds(worker.elapsed), to: 6)
    if let step = worker.step { text += "  \(Self.padded(step, to: 5))" }
    if let pid = worker.pid { text += "  pid \(pid)" }
    if let clients = worker.clients, clients > 0 {
      text += "  \(clients) \(clients == 1 ? "client" : "clients")"
    }
    let line = self.cut(text)
    return worker.step == "KILL" ? self.colored(line, "31") : line
  }

  private func bar(_ progress: StopProgress) -> String {
    // Once they have all ended, the rest is worth a word.
    let counts =
      progress.stopped < progress.total
      ? "\(progress.stopped)/\(progress.total) stopped" : progress.status
    let left = max(progress.budget - progress.elapsed, .zero)
    let time = "\(Self.seconds(progress.elapsed)), at most \(Self.seconds(left)) more"
    let room = self.columns - 1 - counts.count - time.count - 6
    let width = min(room, 40)
    // Without room for a bar, the numbers are what matters.
    guard width >= 5 else { return self.cut("\(counts), \(time)") }
    let filled = progress.total == 0 ? width : min(width * progress.stopped / progress.total, width)
    let bar = String(repeating: "=", count: filled) + String(repeating: ".", count: width - filled)
    return self.colored("[\(bar)]", "36") + " \(counts), \(time)"
  }

  /// To the columns there are. All that comes here is printable ASCII: one character is one column.
  private func cut(_ text: String) -> String {
    var text = text.prefix(self.columns - 1)
    while text.last == " " { text.removeLast() }
    return String(text)
  }

  private func colored(_ text: String, _ code: String) -> String {
    self.isColored ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
  }

  private static func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 0))
  }

  private static func leading(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(width - text.count, 0)) + text
  }

  /// `3.2s`: to a tenth below a minute, else `1m 05s`.
  package static func seconds(_ duration: Duration) -> String {
    let tenths = Int(duration.wholeNanoseconds / 100_000_000)
    if tenths < 600 { return "\(tenths / 10).\(tenths % 10)s" }
    let seconds = tenths / 10
    return "\(seconds / 60)m \(seconds % 60 < 10 ? "0" : "")\(seconds % 60)s"
  }
}
