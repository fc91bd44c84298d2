/// A process id as the kernel numbers it.
///
/// A bare number names a process only as long as somebody holds it: for a
/// process that may have been reaped meanwhile, use ``ProcessIdentity``.
public struct ProcessIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
  public var value: Int32

  public init(_ value: Int32) {
    self.value = value
  }

  public var description: String { "\(self.value)" }

  public static func < (left: ProcessIdentifier, right: ProcessIdentifier) -> Bool {
    left.value < right.value
  }

  public init(from decoder: any Decoder) throws {
    self.value = try decoder.singleValueContainer().decode(Int32.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(self.value)
  }
}
