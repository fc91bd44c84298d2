public import Logging
public import ProcCtl
internal import Synchronization
internal import SystemPackage
internal import SystemdNotify

/// What the master writes beside its console, in the log directory: `debug.log`, with everything
/// from debug up, and `shutdown.log`, with everything from the moment a stop begins.
///
/// Lines are lost until the files are opened, because whoever owns them must be whom the master
/// supervises as. From then on nobody waits for the disk: a ``FileWriter`` writes them. May be used from
/// any thread.
public final class MasterLogFiles: Sendable {
  private let debug: LogFile
  private let shutdown: LogFile
  private let asJSON: Bool
  /// Who writes to them, and whatever else there is to write.
  let writer: FileWriter

  /// The names of workers whose output would go to one of these files.
  static let takenNames = ["debug", "shutdown"]

  /// - Parameters:
  ///   - configuration: With the directory and the limits of its files.
  ///   - complain: Told, once for each file, that lines of it are lost; on the console and any thread.
  /// - Returns: nil if no directory is configured.
  public init?(_ configuration: MasterConfiguration, complain: @escaping @Sendable (String) -> Void) {
    guard let directory = configuration.logDirectory else { return nil }
    let limits = LogFile.Limits(size: configuration.logSize, keep: configuration.logKeep)
    let writer = FileWriter()
    let asJSON = configuration.logFormat == .json
    func file(_ name: String, isMuted: Bool) -> LogFile {
      LogFile(
        directory.appending(name), limits: limits, writer: writer, isMuted: isMuted,
        gapLine: { Self.gapLine($0, asJSON: asJSON) }, complain: complain)
    }
    self.writer = writer
    self.asJSON = asJSON
    self.debug = file("debug.log", isMuted: false)
    self.shutdown = file("shutdown.log", isMuted: true)
  }

  /// Handlers that write to the files: lines for people, or JSON where that was asked for.
  public func handlers(label: String) -> [any LogHandler] {
    [
      Self.handler(label: label, self.debug, .debug, asJSON: self.asJSON),
      Self.handler(label: label, self.shutdown, .trace, asJSON: self.asJSON),
    ]
  }

  private static func handler(
    label: String, _ file: any LogDestination, _ level: Logger.Level, asJSON: Bool
  ) -> any LogHandler {
    asJSON
      ? JSONLogHandler(label: label, output: file, level: level, now: LogTime.now)
      : TextLogHandler(label: label, output: file, toJournal: false, level: level, now: LogTime.now)
  }

  /// Remembers a line instead of writing it.
  private final class LineInMemory: LogDestination {
    private let content = Mutex<[UInt8]>([])
    var line: [UInt8] { self.content.withLock { $0 } }
    func write(line: [UInt8]) { self.content.withLock { $0 = line } }
  }

  private static func gapLine(_ lines: UInt64, asJSON: Bool) -> [UInt8] {
    let output = LineInMemory()
    Logger(label: "procctl") { self.handler(label: $0, output, .warning, asJSON: asJSON) }
      .warning("\(LogFile.gapText(lines))")
    return output.line
  }

  /// Opens both, waiting for the disk.
  ///
  /// - Throws: `ProcessError` naming the file, before anything is started.
  public func open() throws(ProcessError) {
    for file in [self.debug, self.shutdown] {
      do throws(Errno) {
        try file.open()
      } catch {
        throw ProcessError(
          .invalidArgument, doing: "[master] log-directory: open \(file.path)", underlyingError: error)
      }
    }
  }

  /// Opens both anew, whoever has their names now, once all is written that was said before.
  ///
  /// - Parameter completion: Called once, on any thread, with what could not be opened; such a log goes on
  ///   where it was.
  func reopen(completion: @escaping @Sendable ([String]) -> Void) {
    let progress = Reopening(awaited: [self.debug, self.shutdown].count, completion: completion)
    for file in [self.debug, self.shutdown] {
      let isTaken = file.reopen { error in progress.done(error.map { "open \(file.path): \($0)" }) }
      if !isTaken { progress.done("open \(file.path): too much is still to be written") }
    }
  }

  /// Those that are being opened anew.
  private final class Reopening: Sendable {
    private let state: Mutex<(awaited: Int, troubles: [String])>
    private let completion: @Sendable ([String]) -> Void

    init(awaited: Int, completion: @escaping @Sendable ([String]) -> Void) {
      self.state = Mutex((awaited, []))
      self.completion = completion
    }

    func done(_ trouble: String?) {
      let result = self.state.withLock { state -> [String]? in
        state.awaited -= 1
        if let trouble { state.troubles.append(trouble) }
        return state.awaited == 0 ? state.troubles : nil
      }
      if let result { self.completion(result) }
    }
  }

  /// A stop begins.
  func beginShutdown() { self.shutdown.unmute() }

  /// How many lines could not be written.
  var lostLines: UInt64 { self.debug.lostLines + self.shutdown.lostLines }
}
