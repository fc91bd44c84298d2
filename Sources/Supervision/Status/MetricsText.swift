/// Metrics in the text format of Prometheus, version 0.0.4. A value: a snapshot and a few figures in,
/// text out.
package struct MetricsText: Sendable {
  /// The master's own figures, as far as the kernel told them.
  package struct Figures: Sendable, Equatable {
    package var residentBytes: Int?
    package var descriptors: Int?
    /// All processes below the master, those it started and those it did not.
    package var processes: Int?
    package var droppedLines: UInt64

    package init(
      residentBytes: Int? = nil, descriptors: Int? = nil, processes: Int? = nil, droppedLines: UInt64 = 0
    ) {
      self.residentBytes = residentBytes
      self.descriptors = descriptors
      self.processes = processes
      self.droppedLines = droppedLines
    }
  }

  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  package private(set) var text = ""

  package init(_ status: MasterStatusSnapshot, figures: Figures) {
    self.add("procctl_up", "gauge", "Whether the master answers.", 1)
    self.add("procctl_info", "gauge", "The master's version.", [([("version", status.version)], 1)])
    self.add(
      "procctl_uptime_seconds", "gauge", "Time since the master was started.", status.uptime_seconds)
    self.add(
      "procctl_ready", "gauge", "Whether every worker is ready and no stop has begun.", status.ready ? 1 : 0)
    self.add(
      "procctl_phase", "gauge", "The phase the master is in.",
      MasterStatusSnapshot.phases.map { ([("phase", $0)], $0 == status.phase ? 1 : 0) })
    let counts = status.counts
    self.add(
      "procctl_workers", "gauge", "Workers by state.",
      MasterStatusSnapshot.states.map { ([("state", $0)], Double(counts[$0] ?? 0)) })
    self.add(
      "procctl_worker_up", "gauge", "Whether the worker is ready.",
      status.workers.map { ([("worker", $0.name)], $0.state == "ready" ? 1 : 0) })
    self.add(
      "procctl_worker_restarts_total", "counter", "How often the worker was started again.",
      status.workers.map { ([("worker", $0.name)], Double($0.restarts)) })
    self.add(
      "procctl_worker_connections", "gauge", "Connections established on the worker's port.",
      status.workers.compactMap { worker in
        guard let port = worker.port, let clients = worker.clients else { return nil }
        return ([("worker", worker.name), ("port", "\(port)")], Double(clients))
      })
    self.add(
      "procctl_shutdown_seconds", "gauge", "Time since the stop began; 0 before.", status.stop?.seconds ?? 0)
    self.add("procctl_processes", "gauge", "Processes below the master.", figures.processes)
    self.add(
      "procctl_log_lines_dropped_total", "counter", "Lines of the master's log that nobody took.",
      Double(figures.droppedLines))
    self.add(
      "process_resident_memory_bytes", "gauge", "Resident memory of the master.", figures.residentBytes)
    self.add("process_open_fds", "gauge", "Open descriptors of the master.", figures.descriptors)
  }

  private mutating func add(_ name: String, _ type: String, _ help: String, _ value: Int?) {
    if let value { self.add(name, type, help, Double(value)) }
  }

  private mutating func add(_ name: String, _ type: String, _ help: String, _ value: Double) {
    self.add(name, type, help, [([], value)])
  }

  private mutating func add(
    _ name: String, _ type: String, _ help: String,
    _ samples: [(labels: [(name: String, value: String)], value: Double)]
  ) {
    guard !samples.isEmpty else { return }
    self.text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    for (labels, value) in samples {
      self.text += name
      if !labels.isEmpty {
        let pairs = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }
        self.text += "{\(pairs.joined(separator: ","))}"
      }
      self.text += " \(Self.number(value))\n"
    }
  }

  /// Only these three have a meaning of their own in a label's value.
  package static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func number(_ value: Double) -> String {
    Int(exactly: value).map { "\($0)" } ?? "\(value)"
  }
}
