internal import ProcCtl
internal import Supervision

/// The longest a stop can take beside how long it may take.
struct CheckReport {
  var budget: StopBudget
  var limit: SystemdTimeSpan?
  /// What keeps the unit's service from being stopped in order.
  var warnings: [String]

  /// Whether a stop is over in time, as far as that is known.
  var fits: Bool {
    guard case .finite(let limit)? = self.limit else { return true }
    return self.budget.total <= limit
  }

  var text: String {
    var text = "\nthe longest a stop can take, if everything uses all of its time:\n"
    let slowest = self.budget.slowest
    let width = min(max(self.budget.workers.map(\.name.count).max() ?? 0, 20), 40)
    for worker in self.budget.workers {
      var parts = worker.steps.filter { $0.wait > .zero }.map { "\($0.name) \($0.wait.text)" }
      if worker.port > .zero { parts.append("port \(worker.port.text)") }
      let mark = worker == slowest && self.budget.workers.count > 1 ? "  (slowest)" : ""
      text += self.line(worker.name, worker.total, width, "  \(parts.joined(separator: ", "))\(mark)")
    }
    text += self.line("what is left over", self.budget.sweep, width)
    if self.budget.cleanups > .zero { text += self.line("cleanups", self.budget.cleanups, width) }
    text += self.line("in all", self.budget.total, width, "  workers all at once, then the rest")
    switch self.limit {
    case .finite(let limit)? where self.fits:
      text += self.line(
        "TimeoutStopSec", limit, width, "  fits, with \((limit - self.budget.total).text) to spare")
    case .finite(let limit)?:
      text += self.line(
        "TimeoutStopSec", limit, width, "  too short by \((self.budget.total - limit).text)")
    case .infinite?: text += "TimeoutStopSec is infinite: fits\n"
    case nil: break
    }
    return text
  }

  private func line(_ name: String, _ time: Duration, _ width: Int, _ note: String = "") -> String {
    let name = "  \(name)" + String(repeating: " ", count: max(width - name.count, 0))
    let time = String(repeating: " ", count: max(8 - time.text.count, 0)) + time.text
    return "\(name) \(time)\(note)\n"
  }
}

/// The same for programs; times are in seconds.
struct CheckRecord: Encodable {
  struct Step: Encodable {
    var name: String
    var seconds: Double
  }
  struct Worker: Encodable {
    var name: String
    var steps: [Step]
    var port_seconds: Double
    var seconds: Double
  }

  var workers: [Worker]
  var sweep_seconds: Double
  var cleanups_seconds: Double
  var longest_stop_seconds: Double
  /// Null if it was not asked for, or is infinite.
  var timeout_stop_seconds: Double?
  var fits: Bool
  var warnings: [String]
  /// Why it could not start here and now.
  var obstacles: [String]

  init(_ report: CheckReport, obstacles: [String]) {
    self.workers = report.budget.workers.map { worker in
      Worker(
        name: worker.name, steps: worker.steps.map { Step(name: $0.name, seconds: $0.wait.inSeconds) },
        port_seconds: worker.port.inSeconds, seconds: worker.total.inSeconds)
    }
    self.sweep_seconds = report.budget.sweep.inSeconds
    self.cleanups_seconds = report.budget.cleanups.inSeconds
    self.longest_stop_seconds = report.budget.total.inSeconds
    if case .finite(let limit)? = report.limit { self.timeout_stop_seconds = limit.inSeconds }
    self.fits = report.fits
    self.warnings = report.warnings
    self.obstacles = obstacles
  }
}
