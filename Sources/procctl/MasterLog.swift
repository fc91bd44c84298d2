internal import Logging
internal import Supervision
internal import SystemdNotify

/// The master's log on standard error, or in the journal.
enum MasterLog {
  static func logger(_ format: LogFormat) -> Logger {
    let isLost = self.isLost(format)
    let logger = self.make(isLost ? .text : format)
    if isLost { logger.warning("there is no journald to log to: logging as text") }
    return logger
  }

  /// libsystemd throws entries away silently where there is no journald.
  private static func isLost(_ format: LogFormat) -> Bool {
    format == .journal && !JournalLogHandler.isAvailable
  }

  /// Where a person watches a stop below this log; nil where nobody does.
  static func display(_ format: LogFormat) -> ProgressDisplay? {
    guard format == .text || self.isLost(format) else { return nil }
    return .standardError(environment: ProcessVariables.all)
  }

  private static func make(_ format: LogFormat) -> Logger {
    Logger(label: "procctl") { label in
      switch format {
      case .text: TextLogHandler(label: label)
      case .json: JSONLogHandler(label: label)
      case .journal: JournalLogHandler(label: label, identifier: "procctl")
      }
    }
  }
}
