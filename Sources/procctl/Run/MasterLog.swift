internal import Logging
internal import Supervision
internal import SystemdNotify

/// The master's log: its console (standard error, or the journal), and its files where a log
/// directory is configured.
struct MasterLog {
  let logger: Logger
  let files: MasterLogFiles?
  /// Where a person watches a stop below this log; nil where nobody does.
  let display: ProgressDisplay?

  init(_ configuration: MasterConfiguration) {
    let format = configuration.logFormat
    // Every entry would go to the fallback, as lines for people.
    let isLost = format == .journal && !JournalLogHandler.isAvailable
    let shown = isLost ? .text : format
    self.display = shown == .text ? .standardError(environment: ProcessVariables.all) : nil
    let console = Logger(label: Self.label) { _ in Self.console(shown) }
    let files = MasterLogFiles(configuration) { trouble in
      console.warning("a log has lost lines: \(trouble)")
    }
    self.files = files
    self.logger = Logger(label: Self.label) { label in
      guard let files else { return Self.console(shown) }
      return MultiplexLogHandler([Self.console(shown)] + files.handlers(label: label))
    }
    if isLost { self.logger.warning("there is no journald to log to: logging as text") }
  }

  private static let label = "procctl"

  private static func console(_ format: LogFormat) -> any LogHandler {
    switch format {
    case .text: TextLogHandler(label: self.label)
    case .json: JSONLogHandler(label: self.label)
    case .journal: JournalLogHandler(label: self.label, identifier: "procctl")
    }
  }
}
