/// A process id as the kernel numbers it.
///
/// A bare number names a process only as long as somebody holds it: for a
/// process that may have been reaped meanwhile, use ``ProcessIdentity``.
public struct ProcessIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
  /// The number, as in pid_t.
  public var value: Int32

  /// Takes a number as it is, whether there is such a process or not.
  public init(_ value: Int32) {
    self.value = value
  }

  /// The number in decimal.
  public var description: String { "\(self.value)" }

  /// Orders by number, which says nothing of who started first.
  public static func < (left: ProcessIdentifier, right: ProcessIdentifier) -> Bool {
    left.value < right.value
  }

  /// Reads a bare number.
  public init(from decoder: any Decoder) throws {
    self.value = try decoder.singleValueContainer().decode(Int32.self)
  }

  /// Writes a bare number.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(self.value)
  }
}
