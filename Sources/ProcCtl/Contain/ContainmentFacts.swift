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
    case .session, .guardian, .automatic: return self.subreaperObstacle
    case .cgroup: return self.cgroupObstacle ?? self.subreaperObstacle
    case .pidNamespace:
      guard let byRights = self.pidNamespaceObstacle, let byUser = self.userNamespaceObstacle else {
        return self.subreaperObstacle
      }
      return "\(byRights); in a user namespace: \(byUser)"
    }
  }

  /// What `auto` chooses for a worker; nil if that is not possible either.
  package func automatic() -> ContainmentChoice? {
    let choice = ContainmentChoice.automatic(hasCgroups: self.cgroupObstacle == nil)
    return self.obstacle(to: choice) == nil ? choice : nil
  }
}

extension ContainmentChoice {
  /// What `auto` stands for.
  ///
  /// A cgroup where there can be one: it is exact, and the kernel ends all in it at one stroke. Else a
  /// guard, which needs no rights. A pid namespace only for those who ask: it changes what a program sees
  /// of the world.
  package static func automatic(hasCgroups: Bool) -> ContainmentChoice {
    hasCgroups ? .cgroup : .guardian
  }
}
