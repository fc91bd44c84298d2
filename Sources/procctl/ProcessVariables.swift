internal import CProcCtl

/// The environment of this process as text.
enum ProcessVariables {
  static var all: [String: String] {
    var variables: [String: String] = [:]
    guard var pointer = cprocctl_environment() else { return variables }
    while let entry = pointer.pointee {
      let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
      pointer += 1
    }
    return variables
  }
}
