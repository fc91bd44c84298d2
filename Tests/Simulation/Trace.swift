internal import ProcCtl

/// What happened in a run, in virtual time; kept only if somebody wants to read it.
package final class Trace {
  package struct Entry: Sendable {
    package let time: Duration
    /// Nil for what concerns the master.
    package let worker: Int?
    package let text: String
  }

  package private(set) var entries: [Entry] = []
  private let isOn: Bool

  init(isOn: Bool) {
    self.isOn = isOn
  }

  func note(_ worker: Int?, at time: Duration, _ text: @autoclosure () -> String) {
    if self.isOn { self.entries.append(Entry(time: time, worker: worker, text: text())) }
  }

  /// The lines about these workers and the master.
  package func lines(about workers: Set<Int>?) -> [String] {
    self.entries.filter { entry in
      guard let workers, let worker = entry.worker else { return true }
      return workers.contains(worker)
    }.map { "\(Trace.text($0.time)) \($0.worker.map { "w\($0)" } ?? "master"): \($0.text)" }
  }

  /// Seconds with six digits, aligned.
  static func text(_ time: Duration) -> String {
    let (seconds, attoseconds) = time.components
    let micro = String(attoseconds / 1_000_000_000_000)
    let whole = String(seconds)
    return String(repeating: " ", count: max(0, 4 - whole.count)) + whole + "."
      + String(repeating: "0", count: max(0, 6 - micro.count)) + micro
  }
}
