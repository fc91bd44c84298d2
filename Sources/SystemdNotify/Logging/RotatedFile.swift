internal import Glibc
package import SystemPackage

/// The older files beside one that is begun anew: NAME.1 is the youngest of them.
package enum RotatedFile {
  /// The name of the one that is so many generations old; 0 is the file itself.
  package static func name(of path: FilePath, age: Int) -> FilePath {
    age == 0 ? path : FilePath("\(path.string).\(age)")
  }

  /// Renames the file to NAME.1, what was that to NAME.2, and so on; the oldest is replaced. With
  /// none to keep it is removed. What is not there is no error.
  package static func setAside(_ path: FilePath, keep: Int) throws(Errno) {
    try self.makeRoom(for: path, keep: keep)
    guard keep > 0 else {
      guard unlink(path.string) == 0 || errno == ENOENT else { throw Errno(rawValue: errno) }
      return
    }
    try self.move(path, to: self.name(of: path, age: 1))
  }

  /// The same for the older ones only, so that there is room for a NAME.1.
  package static func makeRoom(for path: FilePath, keep: Int) throws(Errno) {
    guard keep > 1 else { return }
    for age in (1..<keep).reversed() {
      try self.move(self.name(of: path, age: age), to: self.name(of: path, age: age + 1))
    }
  }

  private static func move(_ old: FilePath, to new: FilePath) throws(Errno) {
    guard rename(old.string, new.string) == 0 || errno == ENOENT else { throw Errno(rawValue: errno) }
  }
}
