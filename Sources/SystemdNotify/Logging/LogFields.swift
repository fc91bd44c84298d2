internal import Logging

/// What the handlers have in common: the metadata of a logger, and how it
/// meets that of its provider and of the event.
struct LogFields: Sendable {
  var metadata: Logger.Metadata = [:]
  var provider: Logger.MetadataProvider?

  /// Everything known about an event, sorted by key so that equal events make equal lines. The
  /// nearer wins: event over provider over logger.
  func sorted(with event: LogEvent) -> [(key: String, value: Logger.MetadataValue)] {
    var all = self.metadata
    if let provided = self.provider?.get(), !provided.isEmpty {
      all.merge(provided) { $1 }
    }
    if let own = event.metadata, !own.isEmpty {
      all.merge(own) { $1 }
    }
    if let error = event.error, all["error"] == nil {
      all["error"] = .string(String(describing: error))
    }
    return all.sorted { $0.key < $1.key }
  }
}

extension Logger.Level {
  /// syslog(3), as journald stores it.
  package var syslogPriority: Int {
    switch self {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}
