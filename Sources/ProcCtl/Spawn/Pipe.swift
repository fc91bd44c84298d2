internal import CProcCtl
internal import Glibc
package import SystemPackage

/// A pipe whose ends close at an exec (pipe2(2)). The caller closes them.
package struct Pipe {
  package let readEnd: FileDescriptor
  package let writeEnd: FileDescriptor

  package init() throws(ProcessError) {
    var ends: [Int32] = [-1, -1]
    guard pipe2(&ends, O_CLOEXEC) == 0 else {
      throw ProcessError(.spawn, doing: "make a pipe", underlyingError: Errno(rawValue: errno))
    }
    self.readEnd = FileDescriptor(rawValue: ends[0])
    self.writeEnd = FileDescriptor(rawValue: ends[1])
  }
}
