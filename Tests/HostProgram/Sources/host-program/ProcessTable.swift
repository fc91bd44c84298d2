import Glibc

/// What /proc says of this program's children; read by hand, so that the library
/// is not asked about itself.
enum ProcessTable {
  struct Entry: CustomStringConvertible {
    let pid: Int32
    let state: Character
    let parent: Int32

    var description: String { "\(self.pid) (\(self.state))" }
  }

  /// Nil once it is reaped.
  static func entry(of pid: Int32) -> Entry? {
    guard let line = self.text(of: "/proc/\(pid)/stat"), let end = line.lastIndex(of: ")") else {
      return nil
    }
    let fields = line[line.index(after: end)...].split(separator: " ")
    guard fields.count > 1, let state = fields[0].first, let parent = Int32(fields[1]) else { return nil }
    return Entry(pid: pid, state: state, parent: parent)
  }

  /// The children of every thread of this program.
  static func ownChildren() -> [Entry] {
    guard let directory = opendir("/proc/self/task") else { return [] }
    defer { closedir(directory) }
    var children: [Entry] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let list = self.text(of: "/proc/self/task/\(name)/children") ?? ""
      children += list.split(separator: " ").compactMap { Int32($0).flatMap(self.entry(of:)) }
    }
    return children
  }

  private static func text(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count <= 0 { break }
      bytes += chunk.prefix(count)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
