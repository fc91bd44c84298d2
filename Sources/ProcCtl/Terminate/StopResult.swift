/// How the end of a set of processes went.
public struct StopResult: Sendable, Equatable {
  /// The last signal that was needed; nil if the set was empty before any was sent.
  public var lastSignal: Signal?
  /// Who is left. Empty means the set is empty, by the kernel's own account, unless it is ``unverified``.
  public var survivors: [Survivor]
  /// Why nobody can say whether somebody is left besides; nil if the set was looked at.
  public var unverified: ProcessError?
  /// From the first step to the empty set, or to giving up.
  public var duration: Duration

  /// Whether nobody is left.
  public var isEmpty: Bool { self.survivors.isEmpty && self.unverified == nil }
}
