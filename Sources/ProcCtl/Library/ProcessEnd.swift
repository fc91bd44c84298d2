/// The end of a child process and of everything it started.
public struct ProcessEnd: Sendable {
  /// How the child itself ended; nil if it could not be ended, or if somebody
  /// else in this program took the status first.
  public var status: TerminationStatus?
  /// The last signal that was needed to end it or what it left; nil if none was.
  public var lastSignal: Signal?
  /// Who is left all the same. Empty means nothing is, unless that is ``unverified``.
  public var survivors: [Survivor]
  /// Why nobody can say whether something is left; nil if it was looked for.
  public var unverified: ProcessError?
}
