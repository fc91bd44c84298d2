package import ProcCtl

/// A worker's port, to find its clients by.
package struct ClientPort {
  package var port: UInt16
  /// The worker's processes now; nil if they cannot be seen. Asked only if there are connections.
  package var members: () -> Set<ProcessIdentifier>?

  package init(port: UInt16, members: @escaping () -> Set<ProcessIdentifier>?) {
    self.port = port
    self.members = members
  }
}

/// What came of ending the connections on a port.
package struct Disconnection: Sendable, Equatable {
  package var ended: Int
  package var left: Int
  /// Why some are left; nil if none had to be.
  package var obstacle: String?

  package init(ended: Int, left: Int, obstacle: String? = nil) {
    self.ended = ended
    self.left = left
    self.obstacle = obstacle
  }
}
