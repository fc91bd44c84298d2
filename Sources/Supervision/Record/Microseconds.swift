package import ProcCtl

/// A span of time as records keep it: whole microseconds, a plain number in JSON.
package struct Microseconds: Codable, Sendable, Hashable, Comparable {
  package var count: Int64

  package init(_ count: Int64) { self.count = count }

  package init(_ duration: Duration) { self.count = duration.wholeNanoseconds / 1000 }

  package init(from start: MonotonicInstant, to end: MonotonicInstant) {
    self.init(start.duration(to: end))
  }

  /// Some 285 years: with more than that sums and differences would not fit some day.
  private static let most = Int64(1) << 53

  /// - Throws: `DecodingError` for a number that no record has, so that what is computed with it never overflows.
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    self.count = try container.decode(Int64.self)
    guard (-Self.most...Self.most).contains(self.count) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no time of a record")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(self.count)
  }

  package var duration: Duration { .microseconds(self.count) }

  package static func < (left: Self, right: Self) -> Bool { left.count < right.count }
}
