package import ProcCtl

/// Whether a worker could have its port now; if not, why.
package enum PortVerdict: Sendable, Hashable {
  /// A server that sets SO_REUSEADDR can bind it, on IPv4 and on IPv6. Connections that have ended may
  /// still be in TIME_WAIT and only keep out who does not set it.
  case free
  /// No process has it, but connections that have ended keep everybody out (tcp(7)).
  case timeWait(connections: Int)
  /// Never empty.
  case held([PortHolder])
  /// Nobody can say; a port that cannot be judged is not called free.
  case unknown(String)

  package init(_ state: PortState) {
    switch state {
    case .free, .timeWait(_, blocksReuse: false): self = .free
    case .timeWait(let count, blocksReuse: true): self = .timeWait(connections: count)
    case .held(let holders): self = .held(holders)
    }
  }

  /// The holders, as far as they have a process that can be named.
  package var holders: [PortHolder] {
    if case .held(let holders) = self { holders } else { [] }
  }
}
