internal import CProcCtl
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Starts child processes from inside a program that does other things too, and
/// leaves nothing of them behind.
///
/// One background thread serves all children of an instance; spawning happens
/// there as well, so that a parent-death signal means the program's end and not
/// some thread's. May be used from any thread or actor. One instance lives as
/// long as the program; keep it in a constant.
public final class ChildProcesses: Sendable {
  private let loop: EventLoop
  /// Confined to the loop's thread.
  private let table: LoopConfined<ChildTable>

  /// Starts the background thread.
  ///
  /// - Parameter reaping: Which ended children are reaped; anything but
  ///   ``ReapingPolicy/trackedOnly`` makes this process a subreaper.
  /// - Throws: `ProcessError` if the kernel refuses descriptors, a thread, or the subreaper role.
  public init(reaping: ReapingPolicy = .trackedOnly) throws(ProcessError) {
    if reaping != .trackedOnly, cprocctl_set_child_subreaper(1) != 0 {
      throw ProcessError(.contain, doing: "become a subreaper", underlyingError: Errno(rawValue: errno))
    }
    let loop = try LoopThread.start()
    self.loop = loop
    let table = LoopConfined(ChildTable(loop: loop, policy: reaping))
    self.table = table
    loop.perform { table.value.lookForOrphans() }
  }

  private static let sharedInstance = Mutex<ChildProcesses?>(nil)

  /// The instance that ``capture(_:timeLimit:outputLimit:)`` uses; made at first use.
  static func shared() throws(ProcessError) -> ChildProcesses {
    let result = self.sharedInstance.withLock { instance in
      Result { () throws(ProcessError) in
        if let instance { return instance }
        let new = try ChildProcesses()
        instance = new
        return new
      }
    }
    return try result.get()
  }

  /// Starts a command.
  ///
  /// - Parameters:
  ///   - command: What to run.
  ///   - leftovers: How what it leaves behind is ended once it has ended by itself.
  /// - Throws: `ProcessError`: `.commandNotFound`, `.commandNotExecutable`, or `.spawn` naming the stage.
  public func spawn(
    _ command: Command, leftovers: Escalation = .standard()
  ) async throws(ProcessError) -> ChildProcess {
    let table = self.table
    let result: Result<(ProcessIdentity, LoopConfined<Child>), ProcessError> =
      await withCheckedContinuation { continuation in
        self.loop.perform {
          continuation.resume(
            returning: Result { () throws(ProcessError) in
              let child = try table.value.spawn(command, leftovers: leftovers)
              return (child.identity, LoopConfined(child))
            })
        }
      }
    let (identity, child) = try result.get()
    return ChildProcess(identity: identity, child: child, owner: self)
  }

  func wait(for child: LoopConfined<Child>) async -> ProcessEnd {
    let table = self.table
    return await withCheckedContinuation { continuation in
      self.loop.perform {
        table.value.whenEnded(child.value) { continuation.resume(returning: $0) }
      }
    }
  }

  func terminate(_ child: LoopConfined<Child>, _ escalation: Escalation) {
    let table = self.table
    self.loop.perform { table.value.terminate(child.value, escalation) }
  }

  func send(_ signal: Signal, to child: LoopConfined<Child>) {
    let table = self.table
    self.loop.perform { table.value.send(signal, to: child.value) }
  }

  /// The thread that everything runs on, for pipes to be read there too.
  var eventLoop: EventLoop { self.loop }
}

/// A value that only the loop's thread touches; the box itself may go anywhere.
struct LoopConfined<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}
