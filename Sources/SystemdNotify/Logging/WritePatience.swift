/// How long a line waits for room in all.
///
/// It waits in parts, and none counts for more than it was to take: a machine that stands still lets no
/// reader read either, so that time says nothing of whether there is one.
package struct WritePatience: Sendable {
  private static let part = Duration.milliseconds(50)

  private var left: Duration

  package init(_ whole: Duration) {
    self.left = whole
  }

  /// A line's: a reader who is at it makes room within this.
  package static let line = WritePatience(.milliseconds(200))
  /// For what can be left out, and while nobody has read for a line's.
  package static let none = WritePatience(.zero)

  package var isOver: Bool { self.left <= .zero }

  /// How long to wait for room now.
  package var nextWait: Duration { max(.zero, min(self.left, WritePatience.part)) }

  /// It has waited, for room or in vain.
  package mutating func waited(_ time: Duration) {
    self.left -= min(time, self.nextWait)
  }
}
