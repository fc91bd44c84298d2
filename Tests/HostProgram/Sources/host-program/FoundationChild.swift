import Foundation
import Synchronization

/// Starts a child with Foundation.Process.
enum FoundationChild {
  /// One at a time: the socket that tells Foundation of a child's end is not
  /// close-on-exec, and two starts at once would leak it into each other's child.
  private static let starting = Mutex(())

  static func start(
    _ plan: ChildPlan, _ streams: ChildStreams, answer: @escaping @Sendable (Answer) -> Void
  ) {
    guard Thread.isMainThread == plan.fromMainThread else {
      return answer(.failed("started by the wrong thread"))
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", plan.script]
    process.standardInput = FileHandle(fileDescriptor: streams.inputRead, closeOnDealloc: false)
    process.standardOutput = FileHandle(fileDescriptor: streams.outputWrite, closeOnDealloc: false)
    process.terminationHandler = {
      answer(
        $0.terminationReason == .exit ? .exited($0.terminationStatus) : .signaled($0.terminationStatus))
    }
    do {
      try self.starting.withLock { _ in try process.run() }
    } catch {
      answer(.failed("\(error)"))
    }
    streams.closeChildEnds()
  }
}
