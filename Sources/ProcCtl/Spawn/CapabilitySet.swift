internal import CProcCtl

/// A set of capabilities (capabilities(7)), by the names libcap knows.
public struct CapabilitySet: Hashable, Sendable {
  package var bits: UInt64

  /// No capability at all.
  public static let none = CapabilitySet(bits: 0)

  package init(bits: UInt64) {
    self.bits = bits
  }

  /// Reads names such as `CAP_NET_BIND_SERVICE` or `net_bind_service`.
  ///
  /// - Throws: `ProcessError` with code `.invalidArgument` naming the first unknown one.
  public init(names: [String]) throws(ProcessError) {
    self.bits = 0
    for name in names {
      let lower = name.lowercased()
      var value: cap_value_t = 0
      guard cap_from_name(lower.hasPrefix("cap_") ? lower : "cap_" + lower, &value) == 0 else {
        throw ProcessError(.invalidArgument, doing: "unknown capability \"\(name)\"")
      }
      self.bits |= 1 << UInt64(value)
    }
  }

  /// The names, without CAP_ and in lower case, in the kernel's order; a number where there is none.
  public var names: [String] {
    (0..<UInt64.bitWidth).filter { self.bits & (1 << UInt64($0)) != 0 }.map { number in
      guard let text = cap_to_name(cap_value_t(number)) else { return "\(number)" }
      defer { cap_free(text) }
      let name = String(cString: text)
      return name.hasPrefix("cap_") ? String(name.dropFirst(4)) : name
    }
  }

  package static let kill = CapabilitySet(bits: 1 << 5)
  package static let setGroups = CapabilitySet(bits: 1 << 6)
  package static let setUsers = CapabilitySet(bits: 1 << 7)
  package static let setCapabilities = CapabilitySet(bits: 1 << 8)
  package static let bindLowPorts = CapabilitySet(bits: 1 << 10)
  /// CAP_SYS_PTRACE for ptrace(2)'s check, CAP_DAC_READ_SEARCH for the modes of the files in /proc.
  package static let lookIntoProcesses = CapabilitySet(bits: 1 << 19 | 1 << 2)
  package static let raisePriority = CapabilitySet(bits: 1 << 23)
  package static let exceedResources = CapabilitySet(bits: 1 << 24)

  package var isEmpty: Bool { self.bits == 0 }
  package func contains(_ other: CapabilitySet) -> Bool { other.bits & ~self.bits == 0 }
  package func union(_ other: CapabilitySet) -> CapabilitySet { CapabilitySet(bits: self.bits | other.bits) }
  package func subtracting(_ other: CapabilitySet) -> CapabilitySet {
    CapabilitySet(bits: self.bits & ~other.bits)
  }
}

extension CapabilitySet: CustomStringConvertible {
  /// `net_bind_service, sys_nice`; `none` for the empty set.
  public var description: String { self.isEmpty ? "none" : self.names.joined(separator: ", ") }
}
