public import Logging
public import ProcCtl
internal import SystemPackage
internal import SystemdNotify

/// What the master writes beside its console, in the log directory: `debug.log`, with everything
/// from debug up, and `shutdown.log`, with everything from the moment a stop begins.
///
/// Lines are lost until the files are opened, because whoever owns them must be whom the master
/// supervises as. May be used from any thread.
public final class MasterLogFiles: Sendable {
  private let debug: LogFile
  private let shutdown: LogFile
  private let asJSON: Bool

  /// The names of workers whose output would go to one of these files.
  static let takenNames = ["debug", "shutdown"]

  /// - Parameters:
  ///   - configuration: With the directory and the limits of its files.
  ///   - complain: Told, once for each file, that lines of it are lost; on the console.
  /// - Returns: nil if no directory is configured.
  public init?(_ configuration: MasterConfiguration, complain: @escaping @Sendable (String) -> Void) {
    guard let directory = configuration.logDirectory else { return nil }
    let limits = LogFile.Limits(size: configuration.logSize, keep: configuration.logKeep)
    self.debug = LogFile(directory.appending("debug.log"), limits: limits, complain: complain)
    self.shutdown = LogFile(
      directory.appending("shutdown.log"), limits: limits, isMuted: true, complain: complain)
    self.asJSON = configuration.logFormat == .json
  }

  /// Handlers that write to the files: lines for people, or JSON where that was asked for.
  public func handlers(label: String) -> [any LogHandler] {
    [self.handler(label: label, self.debug, .debug), self.handler(label: label, self.shutdown, .trace)]
  }

  private func handler(label: String, _ file: LogFile, _ level: Logger.Level) -> any LogHandler {
    self.asJSON
      ? JSONLogHandler(label: label, output: file, level: level, now: LogTime.now)
      : TextLogHandler(label: label, output: file, toJournal: false, level: level, now: LogTime.now)
  }

  /// Opens both.
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

  /// Opens both anew, whoever has their names now.
  ///
  /// - Returns: What could not be opened; such a log goes on where it was.
  func reopen() -> [String] {
    var troubles: [String] = []
    for file in [self.debug, self.shutdown] {
      do throws(Errno) {
        try file.open()
      } catch {
        troubles.append("open \(file.path): \(error)")
      }
    }
    return troubles
  }

  /// A stop begins.
  func beginShutdown() { self.shutdown.unmute() }

  /// How many lines could not be written.
  var lostLines: UInt64 { self.debug.lostLines + self.shutdown.lostLines }
}
