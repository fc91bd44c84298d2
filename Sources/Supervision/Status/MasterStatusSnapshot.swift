/// How a master stands at one moment. `status --json`, the health endpoint, the metrics and the control
/// socket all show this and nothing else.
package struct MasterStatusSnapshot: Codable, Sendable, Equatable {
  package struct Worker: Codable, Sendable, Equatable {
    package var name: String
    /// The name of a ``WorkerState``.
    package var state: String
    /// How long it has been in that state, in seconds.
    package var seconds: Double
    package var pid: Int32?
    package var port: UInt16?
    /// Connections established on its port; nil without a port, or if the kernel did not say.
    package var clients: Int?
    /// How often it was started again.
    package var restarts: Int
    /// While it is being stopped: `asked`, or the signal it was sent last.
    package var step: String?
    /// Why it does not run as it should.
    package var trouble: String?

    package init(
      name: String, state: String, seconds: Double, pid: Int32? = nil, port: UInt16? = nil,
      clients: Int? = nil, restarts: Int = 0, step: String? = nil, trouble: String? = nil
    ) {
      self.name = name
      self.state = state
      self.seconds = seconds
      self.pid = pid
      self.port = port
      self.clients = clients
      self.restarts = restarts
      self.step = step
      self.trouble = trouble
    }
  }

  /// Of a stop that has begun; it is never taken back.
  package struct Stop: Codable, Sendable, Equatable {
    package var reason: String
    package var seconds: Double
    /// The longest it can take in all, in seconds.
    package var budget_seconds: Double

    package init(reason: String, seconds: Double, budget_seconds: Double) {
      self.reason = reason
      self.seconds = seconds
      self.budget_seconds = budget_seconds
    }
  }

  package var version: String
  package var pid: Int32
  /// The configuration file, or `default`.
  package var configuration: String
  /// The name of a ``ShutdownOrder/Phase``.
  package var phase: String
  /// Whether every worker is ready and no stop has begun.
  package var ready: Bool
  /// A line for people.
  package var status: String
  package var uptime_seconds: Double
  package var stop: Stop?
  package var workers: [Worker]

  package init(
    version: String, pid: Int32, configuration: String, phase: String, ready: Bool, status: String,
    uptime_seconds: Double, stop: Stop? = nil, workers: [Worker]
  ) {
    self.version = version
    self.pid = pid
    self.configuration = configuration
    self.phase = phase
    self.ready = ready
    self.status = status
    self.uptime_seconds = uptime_seconds
    self.stop = stop
    self.workers = workers
  }
}

extension MasterStatusSnapshot {
  package static let phases = ShutdownOrder.Phase.allCases.map { "\($0)" }
  package static let states = WorkerState.allCases.map { "\($0)" }

  /// How many workers are in each state that somebody is in.
  package var counts: [String: Int] {
    self.workers.reduce(into: [:]) { $0[$1.state, default: 0] += 1 }
  }

  package subscript(worker name: String) -> Worker? { self.workers.first { $0.name == name } }
}
