import Glibc
import ProcCtl
import SystemPackage

/// What a library must not do beside others: waits for any child at all, so
/// whoever waits for a child of its own may come too late.
enum Thief {
  static func start(beside children: ChildProcesses) async throws {
    // A child that lives as long as this program, so that there is always one to wait for.
    let streams = try ChildStreams()
    _ = try await children.spawn(
      Command(
        .name("cat"), standardInput: .descriptor(FileDescriptor(rawValue: streams.inputRead)),
        standardOutput: .null))
    streams.closeChildEnds()
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { @Sendable _ in
        while true {
          var information = siginfo_t()
          if waitid(P_ALL, 0, &information, WEXITED) != 0, errno != EINTR { return nil }
        }
      }, nil)
    guard result == 0 else { throw Failure("pthread_create: errno \(result)") }
  }
}
