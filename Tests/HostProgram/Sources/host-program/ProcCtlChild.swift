import ProcCtl
import SystemPackage

/// Runs a child with ProcCtl.
enum ProcCtlChild {
  /// What the child leaves is left alone until the test lets it go; the first
  /// signal of this only wakes it.
  private static let patience = Escalation(steps: [Escalation.Step(.continue, wait: .seconds(300))])

  static func run(
    _ plan: ChildPlan, _ streams: ChildStreams, in children: ChildProcesses
  ) async -> Answer {
    do throws(ProcessError) {
      let child = try await self.spawn(plan, streams, in: children)
      let end = await child.wait()
      guard end.survivors.isEmpty else { return .failed("survivors: \(end.survivors)") }
      switch end.status {
      case .exited(let status): return .exited(status)
      case .signaled(let signal, _): return .signaled(signal.rawValue)
      case nil: return .failed("no status")
      }
    } catch {
      return .failed("\(error)")
    }
  }

  private static func spawn(
    _ plan: ChildPlan, _ streams: ChildStreams, in children: ChildProcesses
  ) async throws(ProcessError) -> ChildProcess {
    defer { streams.closeChildEnds() }
    let command = Command(
      .path("/bin/sh"), arguments: ["-c", ByteString(plan.script)],
      standardInput: .descriptor(FileDescriptor(rawValue: streams.inputRead)),
      standardOutput: .descriptor(FileDescriptor(rawValue: streams.outputWrite)))
    return try await children.spawn(command, leftovers: self.patience)
  }
}
