import CProcCtl
import Glibc
import ProcCtl
import SystemPackage
import SystemdNotify
import Testing

@Suite("Descriptors handed to us")
struct ListenDescriptorsTests {
  @Test("Taken with their names, close-on-exec, and not passed on")
  func inherited() async throws {
    let probe = try #require(CommandLine.arguments.first).split(separator: "/").dropLast()
      .joined(separator: "/")
    let (first, second) = try makePair()
    defer {
      try? first.close()
      try? second.close()
    }
    var command = Command(
      .name("sh"),
      arguments: [
        "-c",
        ByteString("LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=http:control exec /\(probe)/listen-probe"),
      ], standardInput: .null)
    command.passedDescriptors = [
      .init(source: first, target: FileDescriptor(rawValue: 3)),
      .init(source: second, target: FileDescriptor(rawValue: 4)),
    ]
    let run = try await capture(command, timeLimit: .seconds(30))
    #expect(
      String(decoding: run.standardOutput, as: UTF8.self)
        == "kept 2 true\n3 http true\n4 control true\ngone true 0\n")
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
