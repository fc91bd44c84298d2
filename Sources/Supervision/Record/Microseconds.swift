package import ProcCtl

/// A span of time as records keep it: whole microseconds, a plain number in JSON.
package struct Microseconds: Codable, Sendable, Hashable, Comparable {
  package var count: Int64

  package init(_ count: Int64) { self.count = count }

  package init(_ duration: Duration) { self.count = duration.wholeNanoseconds / 1000 }

  package init(from start: MonotonicInstant, to end: MonotonicInstant) {
    self.init(start.duration(to: end))
  }

  package init(from decoder: any Decoder) throws {
    self.count = try decoder.singleValueContainer().decode(Int64.self)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(self.count)
  }

  package var duration: Duration { .microseconds(self.count) }

  package static func < (left: Self, right: Self) -> Bool { left.count < right.count }
}
