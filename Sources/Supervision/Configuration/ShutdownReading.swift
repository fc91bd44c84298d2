internal import ProcCtl

/// The variables that override the shutdown's timeouts, for whoever starts the master.
package enum ShutdownVariable: String, CaseIterable, Sendable {
  case graceful = "MCP_WORKER_GRACEFUL_TIMEOUT"
  case clients = "MCP_SHUTDOWN_CLIENT_TIMEOUT"
  case workers = "MCP_SHUTDOWN_WORKER_TIMEOUT"
  case ports = "PROCCTL_SHUTDOWN_PORT_TIMEOUT"
  case cleanup = "PROCCTL_SHUTDOWN_CLEANUP_TIMEOUT"

  var timeout: WritableKeyPath<ShutdownTimeouts, Duration> {
    switch self {
    case .graceful: \.graceful
    case .clients: \.clients
    case .workers: \.workers
    case .ports: \.ports
    case .cleanup: \.cleanup
    }
  }

  var key: String {
    switch self {
    case .graceful: "graceful"
    case .clients: "clients"
    case .workers: "workers"
    case .ports: "ports"
    case .cleanup: "cleanup"
    }
  }
}

extension ConfigurationReader {
  /// Reads `[shutdown]` and the variables that override it.
  ///
  /// - Returns: the timeouts, and who had the last word on `workers`.
  mutating func forceForeign(in root: TOMLNode) -> Bool {
    // What is the matter with the table itself is said by who reads the timeouts.
    guard let node = root["shutdown"], case .table = node.value else { return false }
    return self.boolean("force-foreign", in: node) ?? false
  }

  mutating func shutdownTimeouts(in root: TOMLNode) -> (
    timeouts: ShutdownTimeouts, workersFrom: TimeoutSource
  ) {
    var timeouts = ShutdownTimeouts()
    var sources: [ShutdownVariable: TimeoutSource] = [:]
    var table = TOMLNode(value: .table([]), line: 1)
    if let node = self.table("shutdown", in: root) {
      table = self.admit(node, keys: ConfigurationKey.shutdown, place: "shutdown")
    }
    for variable in ShutdownVariable.allCases {
      if let duration = self.duration(variable.key, in: table) {
        timeouts[keyPath: variable.timeout] = duration
        sources[variable] = .file
      }
      if let duration = self.seconds(of: variable) {
        timeouts[keyPath: variable.timeout] = duration
        sources[variable] = .environment
      }
    }
    let gracefulFrom = sources[.graceful] ?? .builtIn
    let workersFrom = sources[.workers] ?? .builtIn
    if !timeouts.reconcile(gracefulFrom: gracefulFrom, workersFrom: workersFrom) {
      let (graceful, workers) = (timeouts.graceful.text, timeouts.workers.text)
      if gracefulFrom == .environment {
        self.problems.append(
          ConfigurationError.Problem(
            message: "\(ShutdownVariable.graceful.rawValue) (\(graceful)) must not be longer than "
              + "\(ShutdownVariable.workers.rawValue) (\(workers)), of which it is the first part"))
      } else {
        self.report(
          table["graceful"]?.line ?? table.line,
          "\"graceful\" (\(graceful)) must not be longer than \"workers\" (\(workers)), of which it is the "
            + "first part")
      }
    }
    return (timeouts, workersFrom)
  }

  /// A number of seconds; a variable that is empty counts as not set.
  private mutating func seconds(of variable: ShutdownVariable) -> Duration? {
    guard let text = self.environment[variable.rawValue], !text.isEmpty else { return nil }
    if let last = text.utf8.last, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(last),
      let duration = try? Duration(text: text)
    {
      return duration
    }
    self.problems.append(
      ConfigurationError.Problem(
        message:
          "\(variable.rawValue) must be a number of seconds such as 10 or 2.5, not \(self.quoted(text))"))
    return nil
  }
}
