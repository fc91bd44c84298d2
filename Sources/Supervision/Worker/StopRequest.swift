package import ProcCtl

/// An HTTP request that asks a worker to stop.
package struct StopRequest: Sendable, Equatable, CustomStringConvertible {
  package var method: String
  package var path: String
  /// The Unix socket it goes to, or `@` and an abstract name; nil for the worker's port.
  package var socket: String?

  package init(method: String, path: String, socket: String? = nil) {
    self.method = method
    self.path = path
    self.socket = socket
  }

  package var description: String {
    "\(self.method) \(self.path)" + (self.socket.map { " on \($0)" } ?? "")
  }
}

extension [StopStep] {
  /// What the steps give a worker between its first signal and KILL.
  var timeForSignals: Duration {
    self.prefix { !$0.isKill }.reduce(.zero) { sum, step in
      if case .signal = step { sum + step.wait } else { sum }
    }
  }
}

extension EscalationRun where Request == StopRequest {
  /// What is left of a worker whose leader has ended is not asked in words any
  /// more, and gets this long from TERM to KILL.
  package static var leftoverGrace: Duration { .seconds(5) }

  init(_ steps: [StopStep]) {
    self.init(
      steps: steps.map { step in
        switch step {
        case .request(let method, let path, let socket, let wait):
          .request(StopRequest(method: method, path: path, socket: socket?.description), wait: wait)
        case .signal(.kill, let wait): .signal(.kill, wait: wait ?? Escalation.killWait)
        case .signal(let signal, let wait): .signal(signal, wait: wait ?? .zero)
        }
      })
  }

  /// TERM, the grace, KILL.
  static func leftovers(within grace: Duration) -> EscalationRun {
    EscalationRun(steps: [
      .signal(.terminate, wait: min(grace, self.leftoverGrace)), .signal(.kill, wait: Escalation.killWait),
    ])
  }
}
