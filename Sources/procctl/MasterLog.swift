internal import Logging
internal import Supervision
internal import SystemdNotify

/// The master's log on standard error, or in the journal.
enum MasterLog {
  static func logger(_ format: LogFormat) -> Logger {
    Logger(label: "procctl") { label in
      switch format {
      case .text: TextLogHandler(label: label)
      case .json: JSONLogHandler(label: label)
      case .journal: JournalLogHandler(label: label, identifier: "procctl")
      }
    }
  }
}
