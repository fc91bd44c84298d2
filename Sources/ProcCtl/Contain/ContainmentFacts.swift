/// What was found out about keeping processes together on this machine, with the rights of this
/// process; and what follows from it.
///
/// A value: how the facts are found is ``current()``'s business.
package struct ContainmentFacts: Sendable, Equatable {
  /// Why no control group can be made and killed; nil if one can.
  package var cgroupObstacle: String?
  /// Why descendants cannot be held and seen: no subreaper, or no /proc that shows them; nil if they can.
  package var subreaperObstacle: String?
  /// Why no pid namespace with a /proc of its own can be made by our rights; nil if one can.
  package var pidNamespaceObstacle: String?
  /// Why none can be made in a user namespace of our own; nil if one can.
  package var userNamespaceObstacle: String?

  package init(
    cgroupObstacle: String? = nil, subreaperObstacle: String? = nil, pidNamespaceObstacle: String? = nil,
    userNamespaceObstacle: String? = nil
  ) {
    self.cgroupObstacle = cgroupObstacle
    self.subreaperObstacle = subreaperObstacle
    self.pidNamespaceObstacle = pidNamespaceObstacle
    self.userNamespaceObstacle = userNamespaceObstacle
  }

  /// Why processes cannot be kept together in this way here; nil if they can.
  package func obstacle(to choice: ContainmentChoice) -> String? {
    switch choice {
    // The master above needs to see and hold them, whatever else does.
    case .session, .guardian: return self.subreaperObstacle
    case .cgroup: return self.cgroupObstacle ?? self.subreaperObstacle
    case .pidNamespace:
      guard let byRights = self.pidNamespaceObstacle, let byUser = self.userNamespaceObstacle else {
        return self.subreaperObstacle
      }
      return "\(byRights); in a user namespace: \(byUser)"
    case .automatic: return self.automatic() == nil ? self.subreaperObstacle : nil
    }
  }

  /// What `auto` chooses for a worker: the first that is possible; nil if none is.
  ///
  /// Pid namespaces are not among them: programs notice that they are in one.
  package func automatic(
    among order: [ContainmentChoice] = [.cgroup, .guardian, .session]
  ) -> ContainmentChoice? {
    order.first { self.obstacle(to: $0) == nil }
  }
}
