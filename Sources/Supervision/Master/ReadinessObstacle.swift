internal import ProcCtl

/// What a look for readiness has found to be missing.
enum ReadinessObstacle: Equatable {
  case nobodyListens
  /// Somebody else does, or shares the worker's socket.
  case strangerListens(PortHolder)
  /// The worker has been asked and has said nothing yet.
  case unanswered
  case refused(Probe.Reason)

  /// Whether it is what the worker has said, and no want of somebody to ask.
  var isAnAnswer: Bool {
    if case .refused = self { true } else { false }
  }

  /// - Parameter path: What was asked for; nil for a connection only.
  func text(port: UInt16, path: String?) -> String {
    let request = path.map { "GET \($0)" } ?? "a connection to port \(port)"
    return switch self {
    case .nobodyListens: "none of its processes listens on port \(port)"
    case .strangerListens(let holder): "port \(port) is held by \(holder)"
    case .unanswered: "\(request) is not answered"
    case .refused(let reason): "\(request): \(reason)"
    }
  }
}
