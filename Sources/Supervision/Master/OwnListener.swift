internal import ProcCtl

/// Where a worker itself listens on its port.
enum OwnListener {
  /// The loopback address on which the worker's own socket answers; nil while
  /// nobody listens, or somebody who is not one of its processes.
  static func address(port: UInt16, members: Set<ProcessIdentifier>) -> InternetAddress? {
    for address in [InternetAddress.loopbackV4, .loopbackV6] {
      let ownership =
        (try? ListenerOwnership.check(address: address, port: port, members: members)) ?? .none
      // Unknown: another user's process, and we may not look into it; its answer must do.
      if ownership == .owned || ownership == .unknown { return address }
    }
    return nil
  }
}
