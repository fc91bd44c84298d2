internal import CProcCtl

/// The state of a TCP socket, by the kernel's numbers (tcp(7), RFC 9293).
package enum SocketState: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  case established = 1
  case synSent
  case synReceived
  case finWait1
  case finWait2
  case timeWait
  case closed
  case closeWait
  case lastAck
  case listen
  case closing
  /// A connection request that has no socket of its own yet.
  case newSynReceived
  /// Bound to its port, neither listening nor connected. Only sock_diag(7)
  /// reports it, since Linux 6.8; before, nothing does.
  case bound

  /// A state in which no process holds the connection any more unless the
  /// socket still has an inode: the kernel sees it to its end.
  package var isEnding: Bool {
    switch self {
    case .finWait1, .finWait2, .timeWait, .lastAck, .closing: return true
    case .established, .synSent, .synReceived, .closed, .closeWait, .listen, .newSynReceived, .bound:
      return false
    }
  }

  /// The name ss(8) and netstat(8) use.
  package var description: String {
    switch self {
    case .established: return "ESTABLISHED"
    case .synSent: return "SYN_SENT"
    case .synReceived, .newSynReceived: return "SYN_RECV"
    case .finWait1: return "FIN_WAIT1"
    case .finWait2: return "FIN_WAIT2"
    case .timeWait: return "TIME_WAIT"
    case .closed: return "CLOSED"
    case .closeWait: return "CLOSE_WAIT"
    case .lastAck: return "LAST_ACK"
    case .listen: return "LISTEN"
    case .closing: return "CLOSING"
    case .bound: return "BOUND"
    }
  }
}

/// A set of socket states, as the kernel takes it: one bit per state.
package struct SocketStates: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  package init(_ state: SocketState) {
    self.rawValue = 1 << UInt32(state.rawValue)
  }

  package func contains(state: SocketState) -> Bool {
    self.contains(SocketStates(state))
  }

  package static let listen = SocketStates(.listen)
  package static let established = SocketStates(.established)
  package static let timeWait = SocketStates(.timeWait)
  package static let bound = SocketStates(.bound)
  /// Every state there is.
  package static let all = SocketStates(SocketState.allCases.map { SocketStates($0) })
}

/// A row of the kernel's TCP socket table.
package struct SocketEntry: Hashable, Sendable {
  package var state: SocketState
  package var localAddress: InternetAddress
  package var localPort: UInt16
  package var remoteAddress: InternetAddress
  package var remotePort: UInt16
  /// The number in `socket:[INODE]` of /proc/PID/fd; 0 if no process holds the
  /// socket (TIME_WAIT, or not yet accepted).
  package var inode: UInt32
  /// Who made the socket; 0 for TIME_WAIT, whatever it was before.
  package var uid: UInt32
  /// Whether a socket of IPv6 refuses IPv4 (IPV6_V6ONLY); nil if the source did not say.
  package var acceptsOnlyV6: Bool?
  /// The kernel's own name for the socket, of no other one before the next boot; nil if the source did
  /// not say.
  package var cookie: UInt64?
  /// The interface the socket is bound to; 0 for none.
  package var interface: UInt32

  package init(
    state: SocketState, localAddress: InternetAddress, localPort: UInt16,
    remoteAddress: InternetAddress, remotePort: UInt16, inode: UInt32, uid: UInt32,
    acceptsOnlyV6: Bool? = nil, cookie: UInt64? = nil, interface: UInt32 = 0
  ) {
    self.state = state
    self.localAddress = localAddress
    self.localPort = localPort
    self.remoteAddress = remoteAddress
    self.remotePort = remotePort
    self.inode = inode
    self.uid = uid
    self.acceptsOnlyV6 = acceptsOnlyV6
    self.cookie = cookie
    self.interface = interface
  }

  package var family: InternetAddress.Family { self.localAddress.family }
}
