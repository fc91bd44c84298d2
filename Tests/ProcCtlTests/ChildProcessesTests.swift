import Glibc
import ProcCtl
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
    #expect(LinuxKernel().status(of: child.processIdentifier) == nil)
  }

  /// Somebody else in the program waits for any child and takes what is ours.
  @Test func aStolenStatusIsNoHang() async throws {
    let child = try await self.children.spawn(
      self.shell("setsid sleep 50 & read line < /dev/null; sleep 0.2"))
    let pid = child.processIdentifier
    let stolen = await Task.detached { () -> Bool in
      var status: Int32 = 0
      return waitpid(pid.value, &status, 0) == pid.value
    }.value
    let end = await child.wait()
    // Who was first is chance; that there is an end, and nothing left, is not.
    #expect(stolen == (end.status == nil))
    #expect(end.survivors.isEmpty)
  }

  @Test func aSignalReachesTheGroup() async throws {
    let child = try await self.children.spawn(self.shell("sleep 50"))
    child.send(.user1)
    #expect(await child.wait().status == .signaled(.user1, coreDumped: false))
  }
}
