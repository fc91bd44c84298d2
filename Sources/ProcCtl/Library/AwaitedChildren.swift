internal import Synchronization

/// The children that any ``ChildProcesses`` of this program waits for.
///
/// Shared by all instances, because to one of them the child of another looks
/// like an orphan: an ended child is kept as a zombie for as long as what it
/// left is being ended.
enum AwaitedChildren {
  /// With start times: a number can be another instance's child as soon as it is reaped.
  private static let identities = Mutex<Set<ProcessIdentity>>([])

  static var current: Set<ProcessIdentifier> {
    self.identities.withLock { Set($0.map(\.processIdentifier)) }
  }

  static func insert(_ child: ProcessIdentity) {
    self.identities.withLock { _ = $0.insert(child) }
  }

  static func remove(_ child: ProcessIdentity) {
    self.identities.withLock { _ = $0.remove(child) }
  }
}
