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
  /// The names of its members, as libcap knows them; `cap_N` for those it does not know.
  package var names: [String] {
    (0..<64).filter { self.bits & 1 << UInt64($0) != 0 }.map { number in
      guard let name = cap_to_name(cap_value_t(number)) else { return "cap_\(number)" }
      defer { cap_free(name) }
      return String(cString: name)
    }
  }
}
