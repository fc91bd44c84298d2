public import SystemPackage

/// What to execute: a name looked up in PATH, or a path.
public struct Executable: Hashable, Sendable, CustomStringConvertible {
  package enum Location: Hashable, Sendable {
    case name(ByteString)
    case path(FilePath)
  }

  package var location: Location

  /// A program looked up in the PATH of the child's environment. A name with a
  /// slash in it is a path, as it is for a shell.
  public static func name(_ name: ByteString) -> Executable {
    Executable(location: .name(name))
  }

  /// The program at this path; a relative one is taken from the child's working directory.
  public static func path(_ path: FilePath) -> Executable {
    Executable(location: .path(path))
  }

  /// The name or the path, with what cannot be printed escaped.
  public var description: String {
    switch self.location {
    case .name(let name): name.printable
    case .path(let path): ByteString(path.string).printable
    }
  }
}
