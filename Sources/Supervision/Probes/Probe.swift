package import ProcCtl
package import SystemPackage

/// How to find out whether a worker serves, by asking it once.
///
/// An answer counts only if it comes from the worker's own processes: ask
/// ``ListenerOwnership`` as well, or the previous generation's orphan answers.
package enum Probe: Hashable, Sendable {
  /// Ready if a connection can be made. The kernel makes it, not the worker: a
  /// worker that was handed its listening socket is "ready" before it runs.
  case tcp(SocketAddress)
  /// Ready if a GET of the path is answered with a status of 200 to 399.
  case http(SocketAddress, path: String)

  package enum Outcome: Hashable, Sendable {
    case ready
    case notReady(Reason)
  }

  /// Why it does not count as ready.
  package enum Reason: Hashable, Sendable, CustomStringConvertible {
    case refused
    case timedOut
    case cancelled
    case failed(Errno)
    /// It answered, and the answer was no.
    case status(Int)
    /// There was no answer, or none that could be understood.
    case http(HTTPFailure)

    package var description: String {
      switch self {
      case .refused: return "connection refused"
      case .timedOut: return "timed out"
      case .cancelled: return "cancelled"
      case .failed(let error): return "\(error)"
      case .status(let status): return "HTTP status \(status)"
      case .http(let failure): return failure.description
      }
    }
  }

  /// Asks once. The completion is called exactly once, on the loop's thread, and
  /// never from within this call.
  ///
  /// - Returns: The attempt, to cancel it with; it need not be kept.
  @discardableResult
  package func attempt(
    on loop: EventLoop, deadline: MonotonicInstant, completion: @escaping (Outcome) -> Void
  ) -> ProbeAttempt {
    switch self {
    case .tcp(let address):
      let attempt = ConnectionAttempt(on: loop, to: address, deadline: deadline) { outcome in
        completion(Self.judge(outcome))
      }
      attempt.start()
      return ProbeAttempt(cancel: attempt.cancel)
    case .http(let address, let path):
      let request = HTTPRequest(path: path, host: Self.host(of: address))
      let exchange = HTTPExchange(on: loop, to: address, request, deadline: deadline) { outcome in
        completion(Self.judge(outcome))
      }
      exchange.start()
      return ProbeAttempt(cancel: exchange.cancel)
    }
  }

  private static func judge(_ outcome: ConnectionAttempt.Outcome) -> Outcome {
    switch outcome {
    case .connected(let descriptor):
      // We close first: the TIME_WAIT stays with our port, not the worker's.
      try? descriptor.close()
      return .ready
    case .refused: return .notReady(.refused)
    case .timedOut: return .notReady(.timedOut)
    case .cancelled: return .notReady(.cancelled)
    case .failed(let error): return .notReady(.failed(error))
    }
  }

  package static func judge(_ outcome: HTTPExchange.Outcome) -> Outcome {
    switch outcome {
    case .success(let response):
      return (200..<400).contains(response.status) ? .ready : .notReady(.status(response.status))
    case .failure(.refused): return .notReady(.refused)
    case .failure(.cancelled): return .notReady(.cancelled)
    case .failure(.failed(let error)): return .notReady(.failed(error))
    case .failure(let failure): return .notReady(.http(failure))
    }
  }

  /// What the Host field says for an address: servers that guard against DNS
  /// rebinding accept the literal address with its port.
  package static func host(of address: SocketAddress) -> String {
    switch address {
    case .tcp: return address.description
    case .unix: return "localhost"
    }
  }
}

/// A probe on its way. Confined to the loop's thread.
package struct ProbeAttempt {
  private let cancelBody: () -> Void

  fileprivate init(cancel: @escaping () -> Void) {
    self.cancelBody = cancel
  }

  /// Gives up: the completion gets `.notReady(.cancelled)`, unless it has been called.
  package func cancel() {
    self.cancelBody()
  }
}
