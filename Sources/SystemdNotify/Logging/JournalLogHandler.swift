internal import CProcCtl
internal import Glibc
public import Logging

/// Writes events to the journal with their fields (sd_journal_sendv(3)): priority,
/// place in the code, and metadata by its keys in capitals, so that
/// `journalctl -u procctl WORKER=alpha` finds them.
public struct JournalLogHandler: LogHandler, Sendable {
  private let label: String
  private let identifier: String
  private let send: @Sendable (JournalEntry) -> Bool
  private var fallback: TextLogHandler
  private var fields: LogFields
  /// The least important level that the logger passes on to this.
  public var logLevel: Logger.Level

  /// - Parameters:
  ///   - label: The logger's, kept as the field LOGGER.
  ///   - identifier: SYSLOG_IDENTIFIER: what `journalctl -t` selects.
  ///   - fallback: Where lines go that journald does not take.
  public init(
    label: String, identifier: String, level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = nil, fallback: LogOutput = .standardError
  ) {
    self.init(
      label: label, identifier: identifier, level: level, metadataProvider: metadataProvider,
      fallback: TextLogHandler(label: label, output: fallback, level: .trace),
      send: JournalLogHandler.sendToJournal)
  }

  package init(
    label: String, identifier: String, level: Logger.Level = .info,
    metadataProvider: Logger.MetadataProvider? = nil, fallback: TextLogHandler,
    send: @escaping @Sendable (JournalEntry) -> Bool
  ) {
    self.label = label
    self.identifier = identifier
    self.send = send
    self.fallback = fallback
    self.fields = LogFields(provider: metadataProvider)
    self.fallback.metadataProvider = metadataProvider
    self.logLevel = level
  }

  /// Whether a journald is there to be written to. libsystemd throws entries away silently when
  /// there is none, so ask before choosing this handler.
  public static var isAvailable: Bool {
    access("/run/systemd/journal/socket", W_OK) == 0
  }

  /// What goes with every event.
  public var metadata: Logger.Metadata {
    get { self.fields.metadata }
    set {
      self.fields.metadata = newValue
      self.fallback.metadata = newValue
    }
  }

  /// Adds what the task at hand knows to every event.
  public var metadataProvider: Logger.MetadataProvider? {
    get { self.fields.provider }
    set {
      self.fields.provider = newValue
      self.fallback.metadataProvider = newValue
    }
  }

  /// One entry of ``metadata``.
  public subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { self.fields.metadata[key] }
    set {
      self.fields.metadata[key] = newValue
      self.fallback[metadataKey: key] = newValue
    }
  }

  /// Sends one entry to the journal, or a line to the fallback if it is not taken. May be called from any
  /// thread.
  public func log(event: LogEvent) {
    var entry = JournalEntry()
    entry.add("MESSAGE", "\(event.message)")
    entry.add("PRIORITY", String(event.level.syslogPriority))
    entry.add("SYSLOG_IDENTIFIER", self.identifier)
    entry.add("LOGGER", self.label)
    entry.add("CODE_FILE", event.file)
    entry.add("CODE_LINE", String(event.line))
    entry.add("CODE_FUNC", event.function)
    for (key, value) in self.fields.sorted(with: event) {
      entry.add(metadata: key, "\(value)")
    }
    if !self.send(entry) { self.fallback.log(event: event) }
  }

  private static let sendToJournal: @Sendable (JournalEntry) -> Bool = { entry in
    var bytes = entry.fields.flatMap { $0 }
    return bytes.withUnsafeMutableBytes { buffer in
      var offset = 0
      let parts = entry.fields.map { field in
        defer { offset += field.count }
        return iovec(iov_base: buffer.baseAddress?.advanced(by: offset), iov_len: field.count)
      }
      return sd_journal_sendv(parts, Int32(parts.count)) >= 0
    }
  }
}
