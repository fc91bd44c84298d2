internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// Where the control socket of a master is that was given no place of its own.
package enum ControlAddress {
  private static let directory: FilePath.Component = "control"
  /// The longest path of a Unix socket (unix(7)).
  private static let longestPath = 107

  /// The path for a new master of this configuration, in the runtime directory, which is made if need be.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory`.
  package static func own(_ configuration: FilePath?) throws(ProcessError) -> FilePath {
    self.path(of: configuration, in: try RuntimeDirectory.subdirectory(self.directory))
  }

  /// Readable, different for every configuration, and short enough for a socket.
  package static func path(of configuration: FilePath?, in directory: FilePath) -> FilePath {
    let text = configuration?.string ?? "default"
    let checksum = Checksum.text(text.utf8)
    let readable = (configuration?.stem ?? text).utf8.prefix(24).map { byte -> Character in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        Character(UnicodeScalar(byte))
      default: "-"
      }
    }
    let path = directory.appending("\(String(readable))-\(checksum).socket")
    return path.string.utf8.count <= self.longestPath ? path : directory.appending("\(checksum).socket")
  }

  /// Where masters of this configuration may listen; of any configuration, if nil is given. Makes nothing.
  ///
  /// A runtime directory of another user's is looked into as well: who answers there is told by the kernel.
  package static func candidates(for configuration: FilePath??) -> [FilePath] {
    let base = RuntimeDirectory.location
    var places = [base]
    if base != "/run/procctl" { places.append("/run/procctl") }
    // The instances of a systemd template have directories of their own below it.
    for place in places { places += self.names(in: place).map { place.appending($0) } }
    var found: [FilePath] = []
    for place in places.map({ $0.appending(self.directory) }) {
      if let configuration {
        found.append(self.path(of: configuration, in: place))
      } else {
        found += self.names(in: place).filter { $0.hasSuffix(".socket") }.map { place.appending($0) }
      }
    }
    return found.filter { access($0.string, F_OK) == 0 }
  }

  private static func names(in path: FilePath) -> [String] {
    guard let stream = opendir(path.string) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
