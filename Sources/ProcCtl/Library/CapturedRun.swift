internal import SystemPackage

/// What a command run to its end has said and how it ended.
public struct CapturedRun: Sendable {
  /// How the command ended. A status other than 0 is a result, not an error.
  public var status: TerminationStatus
  /// What it wrote to standard output, up to the limit.
  public var standardOutput: [UInt8]
  /// What it wrote to standard error, up to the limit.
  public var standardError: [UInt8]
  /// The command wrote more than the limit; it was ended and the rest dropped.
  public var outputLimitReached: Bool
  /// The time limit passed; the command and all it started were ended.
  public var timeLimitReached: Bool

  /// Creates a result, as for a test of what is done with one.
  public init(
    status: TerminationStatus, standardOutput: [UInt8], standardError: [UInt8], outputLimitReached: Bool,
    timeLimitReached: Bool
  ) {
    self.status = status
    self.standardOutput = standardOutput
    self.standardError = standardError
    self.outputLimitReached = outputLimitReached
    self.timeLimitReached = timeLimitReached
  }
}

/// Runs a command to its end and returns what it wrote.
///
/// The command runs in a session of its own. When it ends, when a limit is
/// reached, or when the task is cancelled, everything left in its session is
/// killed before this returns. May be called from any thread or actor.
///
/// - Parameters:
///   - command: What to run; its standard output and error are captured.
///   - timeLimit: How long it may take; nil for no limit.
///   - outputLimit: Bytes of standard output and of standard error to keep.
/// - Throws: `ProcessError` if the command cannot be started or, once started,
///   cannot be ended. A status other than 0 is a result, not an error.
public func capture(
  _ command: Command, timeLimit: Duration? = nil, outputLimit: Int = 1 << 20
) async throws(ProcessError) -> CapturedRun {
  let children = try ChildProcesses.shared()
  let loop = children.eventLoop
  let output = try OutputReader(limit: outputLimit)
  let errorOutput = try OutputReader(limit: outputLimit)
  var command = command
  command.standardOutput = .descriptor(output.writeEnd)
  command.standardError = .descriptor(errorOutput.writeEnd)

  let child: ChildProcess
  do throws(ProcessError) {
    child = try await children.spawn(command, leftovers: Escalation(steps: []))
  } catch {
    output.closeBoth()
    errorOutput.closeBoth()
    throw error
  }
  output.closeWriteEnd()
  errorOutput.closeWriteEnd()

  let kill: @Sendable () -> Void = { children.terminate(child.child, Escalation(steps: [])) }
  let limit = LoopConfined(TimeLimit())
  loop.perform {
    output.start(on: loop, whenFull: kill)
    errorOutput.start(on: loop, whenFull: kill)
    if let timeLimit {
      limit.value.timer = loop.schedule(at: loop.now.advanced(by: timeLimit)) {
        limit.value.isReached = true
        kill()
      }
    }
  }
  let end = await withTaskCancellationHandler {
    await child.wait()
  } onCancel: {
    kill()
  }

  // The end of the pipe is never waited for: somebody else may hold its other end.
  let run: (output: [UInt8], error: [UInt8], full: Bool, late: Bool) = await withCheckedContinuation {
    continuation in
    loop.perform {
      if let timer = limit.value.timer { loop.cancel(timer) }
      let written = output.finish(on: loop)
      let complained = errorOutput.finish(on: loop)
      continuation.resume(
        returning: (written, complained, output.isFull || errorOutput.isFull, limit.value.isReached))
    }
  }
  guard let status = end.status else {
    throw ProcessError(
      .wait, doing: "end \(command.executable)", processIdentifier: child.processIdentifier)
  }
  if let unverified = end.unverified { throw unverified }
  return CapturedRun(
    status: status, standardOutput: run.output, standardError: run.error, outputLimitReached: run.full,
    timeLimitReached: run.late)
}

/// Whether a run's time was over. Confined to the loop's thread.
private final class TimeLimit {
  var timer: TimerIdentifier?
  var isReached = false
}
