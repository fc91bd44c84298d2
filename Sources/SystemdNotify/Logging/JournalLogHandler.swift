internal import Glibc
public import Logging
internal import SystemPackage

/// Writes events to the journal with their fields (systemd.journal-fields(7)): priority,
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
  ///   - level: The least important level to be passed on.
  ///   - metadataProvider: Adds what the task at hand knows to every event.
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

  /// Whether a journald is there to be written to. Ask before choosing this handler: without one
  /// every line goes to the fallback.
  public static var isAvailable: Bool {
    access(Self.socketPath, W_OK) == 0
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
    guard let socket = Self.socket else { return false }
    return Self.send(entry, over: socket)
  }

  private static let socketPath = "/run/systemd/journal/socket"
  private static let socket = (try? NotifyAddress(path: FilePath(Self.socketPath))).map(
    DatagramTransport.init(to:))

  /// Hands it to journald, unless that would mean to wait: libsystemd sends on a blocking socket, so a
  /// journald that has come to a standstill would stop whoever logs.
  package static func send(_ entry: JournalEntry, over transport: some NotificationTransport) -> Bool {
    do throws(NotificationError) {
      try transport.send(entry.datagram, descriptors: [])
      return true
    } catch {
      return false
    }
  }
}
