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

  @Test func aSignalReachesTheGroup() async throws {
    let child = try await self.children.spawn(self.shell("sleep 50"))
    child.send(.user1)
    #expect(await child.wait().status == .signaled(.user1, coreDumped: false))
  }
}
