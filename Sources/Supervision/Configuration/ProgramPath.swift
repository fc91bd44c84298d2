internal import SystemPackage

/// Where a program of the configuration is.
enum ProgramPath {
  /// A path with a slash is made absolute: masters and their children are in / or elsewhere, so that
  /// `./server` would be found there or nowhere. A name without one is left to PATH.
  static func absolute(_ program: String, from directory: FilePath) -> String {
    guard program.contains("/"), !program.hasPrefix("/") else { return program }
    var rest = Substring(program)
    while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
    return directory.pushing(FilePath(String(rest))).string
  }
}
