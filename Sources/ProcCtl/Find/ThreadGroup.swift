internal import SystemPackage

/// Which process a thread belongs to. /proc/ID shows every thread to whoever
/// asks for it, though only processes are listed (proc(5)).
package enum ThreadGroup {
  /// The process that the id, a thread's or its own, belongs to; nil if there is none.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be read.
  package static func process(of identifier: ProcessIdentifier) throws(ProcessError) -> ProcessIdentifier? {
    let path = "/proc/\(identifier)/status"
    let content: [UInt8]?
    do throws(Errno) {
      content = try ProcFile.read(path, limit: 1 << 16)
    } catch {
      throw ProcessError(.inspect, doing: "read \(path)", underlyingError: error)
    }
    let name = Array("Tgid:\t".utf8)
    let line = content?.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: name) }
    return line.flatMap { Int32(decimal: $0.dropFirst(name.count)) }.map { ProcessIdentifier($0) }
  }
}
