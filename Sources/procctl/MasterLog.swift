internal import Logging
internal import Supervision
internal import SystemdNotify

/// The master's log on standard error, or in the journal.
enum MasterLog {
  static func logger(_ format: LogFormat) -> Logger {
    // libsystemd throws entries away silently where there is no journald.
    let isLost = format == .journal && !JournalLogHandler.isAvailable
    let logger = self.make(isLost ? .text : format)
    if isLost { logger.warning("there is no journald to log to: logging as text") }
    return logger
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
