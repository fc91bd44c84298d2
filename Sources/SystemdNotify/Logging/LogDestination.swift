/// Where a handler puts its lines. Called from any thread; it returns at once or as soon as the
/// kernel has taken the bytes, and what it cannot write it counts and drops.
package protocol LogDestination: Sendable {
  /// - Parameter line: Without its newline.
  func write(line: [UInt8])
}

extension LogOutput: LogDestination {}
