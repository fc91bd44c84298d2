import Subprocess
import SystemPackage

/// Runs a child with swift-subprocess.
enum SubprocessChild {
  static func run(_ plan: ChildPlan, _ streams: ChildStreams) async -> Answer {
    do {
      let result = try await Subprocess.run(
        .path("/bin/sh"), arguments: ["-c", plan.script],
        input: .fileDescriptor(FileDescriptor(rawValue: streams.inputRead), closeAfterSpawningProcess: true),
        output: .fileDescriptor(
          FileDescriptor(rawValue: streams.outputWrite), closeAfterSpawningProcess: true),
        error: .currentStandardError)
      switch result.terminationStatus {
      case .exited(let status): return .exited(status)
      case .signaled(let signal): return .signaled(signal)
      }
    } catch {
      return .failed("\(error)")
    }
  }
}
