import CProcCtl
import Glibc
import SystemPackage
import SystemdNotify
import Testing

@Suite("Descriptors handed to us")
struct ListenDescriptorsTests {
  @Test("Taken with their names, close-on-exec, and not passed on")
  func inherited() async {
    await #expect(processExitsWith: .success) {
      // The numbers are fixed, and the test process uses some of them itself.
      let saved = (3..<5).map { cprocctl_fcntl($0, F_DUPFD_CLOEXEC, 100) }
      let (first, second) = try makePair()
      let sources = [first, second].map { cprocctl_fcntl($0.rawValue, F_DUPFD_CLOEXEC, 200) }
      for (index, source) in sources.enumerated() { dup2(source, Int32(3 + index)) }
      defer {
        for (index, descriptor) in saved.enumerated() where descriptor >= 0 {
          dup2(descriptor, Int32(3 + index))
        }
      }
      setenv("LISTEN_FDS", "2", 1)
      setenv("LISTEN_PID", "\(getpid())", 1)
      setenv("LISTEN_FDNAMES", "http:control", 1)
      let kept = try ListenDescriptors.inherited(unsetEnvironment: false)
      #expect(kept.map(\.name) == ["http", "control"])
      #expect(getenv("LISTEN_FDS") != nil)
      let descriptors = try ListenDescriptors.inherited()
      #expect(descriptors.map(\.descriptor.rawValue) == [3, 4])
      #expect(descriptors.named("control") == [FileDescriptor(rawValue: 4)])
      #expect(descriptors.named("other").isEmpty)
      #expect(cprocctl_fcntl(3, F_GETFD, 0) & FD_CLOEXEC != 0)
      #expect(getenv("LISTEN_FDS") == nil && getenv("LISTEN_PID") == nil && getenv("LISTEN_FDNAMES") == nil)
      #expect(try ListenDescriptors.inherited().isEmpty)
    }
  }

  @Test("Not ours, none; without names, unknown; malformed, an error")
  func environment() async {
    await #expect(processExitsWith: .success) {
      setenv("LISTEN_FDS", "2", 1)
      setenv("LISTEN_PID", "\(getppid())", 1)
      let ofAnother = try ListenDescriptors.inherited(unsetEnvironment: false)
      #expect(ofAnother.isEmpty)
      setenv("LISTEN_PID", "\(getpid())", 1)
      setenv("LISTEN_FDS", "many", 1)
      let error = #expect(throws: NotificationError.self) { try ListenDescriptors.inherited() }
      #expect(error?.code == .environment)
    }
  }
}
