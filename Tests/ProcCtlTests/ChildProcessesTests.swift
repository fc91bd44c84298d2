import CProcCtl
import Glibc
import ProcCtl
import SystemPackage
import Testing

@Suite struct ChildProcessesTests {
  private let children: ChildProcesses

  init() throws {
    self.children = try ChildProcesses()
  }

  private func shell(_ script: String) -> Command {
    Command(
      .name("sh"), arguments: ["-c", ByteString(script)], standardInput: .null, standardOutput: .null,
      standardError: .null)
  }

  @Test func everyWaiterGetsTheSameAnswer() async throws {
    let child = try await self.children.spawn(self.shell("exit 5"))
    async let first = child.wait()
    async let second = child.wait()
    let ends = await (first, second)
    #expect(ends.0.status == .exited(5) && ends.1.status == .exited(5))
    #expect(await child.wait().status == .exited(5))
  }

  @Test func terminateEndsWhatIgnoresTERM() async throws {
    let child = try await self.children.spawn(
      self.shell("trap '' TERM; setsid sleep 50 & while :; do sleep 1; done"))
    let end = await child.terminate(.standard(grace: .milliseconds(300)))
    #expect(end.survivors.isEmpty)
    #expect(end.status != nil)
    #expect(try LinuxKernel().status(of: child.processIdentifier) == nil)
  }

  /// Somebody else in the program waits for any child and takes what is ours.
  @Test func aStolenStatusIsNoHang() async throws {
    // Who reaps it decides whether what it leaves is found: in a session of its own, and adopted by somebody
    // else. It ends with its input, which ends with this test.
    let gate = try Pipe()
    defer { try? gate.writeEnd.close() }
    var command = self.shell("setsid cat <&3 & sleep 0.2")
    command.passedDescriptors = [.init(source: gate.readEnd, target: FileDescriptor(rawValue: 3))]
    let child = try await self.children.spawn(command)
    try gate.readEnd.close()
    let pid = child.processIdentifier
    let stolen = await Task.detached { () -> Bool in
      var status: Int32 = 0
      return waitpid(pid.value, &status, 0) == pid.value
    }.value
    let end = await child.wait()
    // Who was first is chance; that there is an end, and nothing left, is not. A stolen
    // status the kernel may still tell (Linux 6.15).
    #expect(end.status == .exited(0) || (stolen && end.status == nil))
    #expect(end.survivors.isEmpty)
  }

  @Test func aSignalReachesTheGroup() async throws {
    let child = try await self.children.spawn(self.shell("sleep 50"))
    child.send(.user1)
    #expect(await child.wait().status == .signaled(.user1, coreDumped: false))
  }

  /// Somebody else in the program may wait for every child there is.
  @Test(.enabled(if: LinuxKernel.tellsHowReapedProcessesEnded)) func aStatusSomebodyElseTookIsStillKnown()
    async throws
  {
    // What the child leaves is left alone until its input ends; until then the child is not reaped.
    let gate = try Pipe()
    var command = self.shell("cat <&3 & exit 5")
    command.passedDescriptors = [.init(source: gate.readEnd, target: FileDescriptor(rawValue: 3))]
    let child = try await self.children.spawn(
      command, leftovers: Escalation(steps: [.init(.continue, wait: .seconds(600))]))
    try gate.readEnd.close()
    var information = siginfo_t()
    #expect(waitid(P_PID, UInt32(child.processIdentifier.value), &information, WEXITED) == 0)
    try gate.writeEnd.close()
    #expect(await child.wait().status == .exited(5))
  }
}

extension LinuxKernel {
  /// PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15.
  fileprivate static var tellsHowReapedProcessesEnded: Bool {
    var names = utsname()
    uname(&names)
    let release = withUnsafeBytes(of: &names.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    return numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 15)
  }
}
