/// Which ended children of this process are ours to reap.
///
/// A status goes to whoever waits first, so a library that waits for everybody
/// takes the statuses of all others in the program: Foundation.Process then even
/// reports success for a child that failed.
public struct ReapingPolicy: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case trackedOnly
    case cooperative(grace: Duration)
    case exclusive
  }

  package var kind: Kind

  /// Only the children started here. Orphans go to whoever adopts them today.
  public static let trackedOnly = ReapingPolicy(kind: .trackedOnly)

  /// This process becomes a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) and
  /// reaps the orphans it adopts, but leaves every child it does not know to
  /// others for the grace, which they need to collect their own.
  ///
  /// The kernel tells nobody about an adoption, so this looks once per grace, and oftener
  /// while an ended one is left to others. Time in which the machine stands still counts little of the grace.
  ///
  /// A child that somebody else started on a thread other than the main one is
  /// never taken for an orphan, however late it is collected. On the main thread
  /// the two cannot be told apart after the grace.
  ///
  /// - Important: Foundation.Process does not notice the end of a child before
  ///   everything that child left in the background has ended too. Start children
  ///   that leave something on another thread than the main one, or their status
  ///   is lost after the grace, and Foundation reports success.
  public static func cooperative(grace: Duration = .seconds(2)) -> ReapingPolicy {
    ReapingPolicy(kind: .cooperative(grace: max(grace, .milliseconds(100))))
  }

  /// This process becomes a subreaper and every ended child is reaped as soon as
  /// it is seen. For programs in which nobody else starts processes.
  public static let exclusive = ReapingPolicy(kind: .exclusive)

  /// How often to look for adopted orphans, more often while one of them is left to others; nil for never.
  func lookInterval(waitsForOthers: Bool) -> Duration? {
    switch self.kind {
    case .trackedOnly: nil
    case .cooperative(let grace): waitsForOthers ? self.gracePart : grace
    case .exclusive: .milliseconds(100)
    }
  }

  /// What the time between two looks counts at most. A machine that stands still keeps from collecting
  /// theirs those, too, for whom the grace is.
  var gracePart: Duration { self.grace / 4 }

  /// How long an unknown zombie is left to others.
  var grace: Duration {
    if case .cooperative(let grace) = self.kind { grace } else { .zero }
  }
}
