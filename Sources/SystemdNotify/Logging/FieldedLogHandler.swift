internal import Logging

/// A handler whose metadata is kept in ``LogFields``: what swift-log asks of every handler about it,
/// written once.
protocol FieldedLogHandler: LogHandler {
  var fields: LogFields { get set }
}

extension FieldedLogHandler {
  /// What goes with every event.
  public var metadata: Logger.Metadata {
    get { self.fields.metadata }
    set { self.fields.metadata = newValue }
  }

  /// Adds what the task at hand knows to every event.
  public var metadataProvider: Logger.MetadataProvider? {
    get { self.fields.provider }
    set { self.fields.provider = newValue }
  }

  /// One entry of ``metadata``.
  public subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { self.fields.metadata[key] }
    set { self.fields.metadata[key] = newValue }
  }
}
