internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// The capability sets of the calling thread (capabilities(7)).
package struct HeldCapabilities: Sendable, Equatable {
  package var permitted = CapabilitySet.none
  package var effective = CapabilitySet.none
  package var inheritable = CapabilitySet.none
  package var bounding = CapabilitySet.none
  package var ambient = CapabilitySet.none
  /// All that this kernel knows.
  package var known = CapabilitySet.none

  /// Asks the kernel.
  ///
  /// - Throws: `ProcessError` with code `.inspect`.
  package static func current() throws(ProcessError) -> HeldCapabilities {
    guard let state = cap_get_proc() else {
      throw ProcessError(.inspect, doing: "read our capabilities", underlyingError: Errno(rawValue: errno))
    }
    defer { cap_free(UnsafeMutableRawPointer(state)) }
    var held = HeldCapabilities()
    for number in 0..<cap_value_t(UInt64.bitWidth) {
      let bit = CapabilitySet(bits: 1 << UInt64(number))
      // Beyond the last capability this kernel knows, all of these fail.
      func has(_ flag: cap_flag_t) -> Bool {
        var value = CAP_CLEAR
        return cap_get_flag(state, number, flag, &value) == 0 && value == CAP_SET
      }
      if has(CAP_PERMITTED) { held.permitted = held.permitted.union(bit) }
      if has(CAP_EFFECTIVE) { held.effective = held.effective.union(bit) }
      if has(CAP_INHERITABLE) { held.inheritable = held.inheritable.union(bit) }
      if cap_get_bound(number) >= 0 { held.known = held.known.union(bit) }
      if cap_get_bound(number) == 1 { held.bounding = held.bounding.union(bit) }
      if cap_get_ambient(number) == 1 { held.ambient = held.ambient.union(bit) }
    }
    return held
  }

  /// Makes sure that capabilities asked for a child are ours to give: nobody hands on what it does
  /// not have in its permitted set.
  ///
  /// - Throws: `ProcessError` with code `.spawn` naming those we do not have.
  package static func requirePermitted(_ asked: CapabilitySet) throws(ProcessError) {
    let missing = asked.subtracting(try HeldCapabilities.current().permitted)
    guard missing.isEmpty else {
      throw ProcessError(
        .spawn, doing: "give the child capabilities that procctl itself does not have (\(missing))",
        underlyingError: .notPermitted)
    }
  }
}
