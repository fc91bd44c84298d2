/// A child process started by ``ChildProcesses``.
///
/// May be used from any thread or actor. Letting go of it does not end it.
public struct ChildProcess: Sendable {
  /// Which process it is, for good: its id may belong to another one after its end.
  public let identity: ProcessIdentity
  let child: LoopConfined<Child>
  let owner: ChildProcesses

  /// The id alone.
  public var processIdentifier: ProcessIdentifier { self.identity.processIdentifier }

  /// Waits until the child has ended, ends what it left behind, and returns
  /// when nothing is left (or what is left cannot be ended). May be called more
  /// than once; everybody gets the same answer. Cancelling the task does not end
  /// the wait: terminate the child instead.
  public func wait() async -> ProcessEnd {
    await self.owner.wait(for: self.child)
  }

  /// Ends the child and everything it started, and returns when nothing is left.
  /// A second call while a stop is under way joins it.
  @discardableResult
  public func terminate(_ escalation: Escalation = .standard()) async -> ProcessEnd {
    self.owner.terminate(self.child, escalation)
    return await self.wait()
  }

  /// Sends the signal to the child's process group, unless the child has been reaped.
  public func send(_ signal: Signal) {
    self.owner.send(signal, to: self.child)
  }
}
