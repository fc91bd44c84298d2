import CHostProgram
import Glibc

/// The two pipes of one child: its standard input keeps its orphan alive, and
/// its standard output names the processes.
struct ChildStreams: Sendable {
  let inputRead: Int32
  let inputWrite: Int32
  let outputRead: Int32
  let outputWrite: Int32

  init() throws(Failure) {
    (self.inputRead, self.inputWrite) = try Self.pipe()
    (self.outputRead, self.outputWrite) = try Self.pipe()
  }

  /// Close-on-exec: a gate that another child holds too would never open.
  private static func pipe() throws(Failure) -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe2(&ends, O_CLOEXEC) == 0 else { throw Failure("pipe2: errno \(errno)") }
    return (ends[0], ends[1])
  }

  func closeChildEnds() {
    close(self.inputRead)
    close(self.outputWrite)
  }
}

/// Why the program cannot go on.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
