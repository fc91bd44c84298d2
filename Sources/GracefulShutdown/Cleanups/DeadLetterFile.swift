internal import Synchronization
public import SystemPackage

/// Keeps cleanups that failed in a file, so that they can be tried again at the next start or by hand.
///
/// Give it to the coordinator, say of a cleanup how it can be made up for, and try again at the start:
///
///     let letters = DeadLetterFile("/var/lib/server/failed-cleanups")
///     letters.handle("announce") { try await registry.remove($0) }
///     let retried = try await letters.retry()
///     let shutdown = ShutdownCoordinator(deadLetters: letters)
///     try shutdown.addCleanup("announce", retry: CleanupRetry(handler: "announce", payload: name)) {
///       try await registry.remove(name)
///     }
///
/// A letter stays until its handler has returned without an error, so a handler can run twice for one
/// letter if the process is killed in between: it should not matter.
///
/// The file has one JSON object per line and mode 0600. A line is appended by one write and is on the
/// disk (fsync(2)) before the shutdown goes on; a line torn by a crash is skipped. A change replaces the
/// file (rename(2)). Whoever uses it holds a lock (flock(2)), so several processes may share one file.
/// Beside it lies an empty `FILE.lock`, which keeps two from trying again at a time.
///
/// By hand: `jq . FILE` shows what is there; a line deleted by an editor is given up, and
/// `flock FILE -c 'grep -v ID FILE > FILE.new; mv FILE.new FILE'` does that while a server runs. To try
/// one again, let the program call ``retry(timeout:)``, or do what its handler would with its `payload`.
public final class DeadLetterFile: Sendable {
  /// Tries what failed again, given the letter's payload.
  public typealias Handler = @Sendable (String) async throws -> Void

  private let storage: DeadLetterStorage
  private let handlers = Mutex<[String: Handler]>([:])

  /// Uses a file, which is created when there is something to keep.
  ///
  /// - Parameters:
  ///   - path: The file; its directory must exist.
  ///   - limit: How many bytes it may have. What would be too much is not kept, and the report says so.
  public init(_ path: FilePath, limit: Int = 1 << 20) {
    self.storage = DeadLetterStorage(path: path, limit: limit)
  }

  /// Registers what makes up for failed cleanups that name this handler, in place of an earlier one.
  public func handle(_ name: String, _ handler: @escaping Handler) {
    self.handlers.withLock { $0[name] = handler }
  }

  /// The letters in the file, oldest first. Blocks the thread for the time of a read, or while another
  /// process holds the lock.
  ///
  /// - Throws: `DeadLetterError`.
  public func letters() throws(DeadLetterError) -> [DeadLetter] {
    try self.storage.read().letters
  }

  /// Gives a letter up. Does nothing if it is not there. Blocks as ``letters()`` does.
  ///
  /// - Throws: `DeadLetterError`.
  public func remove(_ id: DeadLetter.ID) throws(DeadLetterError) {
    try self.storage.change { $0.removeAll { $0.id == id } }
  }

  /// Keeps a letter. Blocks until it is on the disk.
  ///
  /// - Throws: `DeadLetterError`; `.full` if the limit would be exceeded.
  public func append(_ letter: DeadLetter) throws(DeadLetterError) {
    try self.storage.append(letter)
  }

  /// Tries every kept cleanup again, oldest first, one at a time.
  ///
  /// - Parameter timeout: How long each handler may take; its task is cancelled then.
  /// - Throws: `DeadLetterError`; `.busy` if another process or task is at it.
  public func retry(timeout: Duration = .seconds(10)) async throws(DeadLetterError) -> DeadLetterRetry {
    let storage = self.storage
    let (claim, content) =
      try await DeadLetterFile.onThread { () throws(DeadLetterError) in
        guard try storage.exists() else {
          return nil as (DeadLetterStorage.Claim, DeadLetterStorage.Content)?
        }
        return (try storage.claim(), try storage.read())
      }
      .map { ($0, $1) } ?? (nil, DeadLetterStorage.Content())
    defer { claim?.release() }
    let clock = ShutdownClock(ContinuousClock())
    var result = DeadLetterRetry()
    result.damagedLines = content.damagedLines
    for var letter in content.letters {
      guard let handler = self.handlers.withLock({ $0[letter.handler] }) else {
        result.unhandled.append(letter)
        continue
      }
      let payload = letter.payload
      let work = BoundedWork.asynchronous { try await handler(payload) }
      switch await work.run(timeout: timeout, on: clock, cancelling: true) {
      case .done: result.succeeded.append(letter)
      case .failed(let why): letter.failedAgain(why)
      case .timedOut: letter.failedAgain("not done after \(timeout.secondsText) s")
      }
      let isDone = result.succeeded.last?.id == letter.id
      if !isDone { result.failed.append(letter) }
      // At once, so that a crash on the way repeats as little as possible.
      let changed = letter
      try await DeadLetterFile.onThread { () throws(DeadLetterError) in
        try storage.change { letters in
          guard let index = letters.firstIndex(where: { $0.id == changed.id }) else { return }
          if isDone { letters.remove(at: index) } else { letters[index] = changed }
        }
      }
    }
    return result
  }

  private static func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws(DeadLetterError) -> Value
  ) async throws(DeadLetterError) -> Value {
    let end = Promise<Result<Value, DeadLetterError>>()
    do {
      try BlockingThread.start { end.fulfil(Result(catching: body)) }
    } catch {
      throw DeadLetterError(.inaccessible, "\(error)")
    }
    return try await end.value.get()
  }
}
