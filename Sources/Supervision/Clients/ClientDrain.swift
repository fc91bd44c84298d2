package import ProcCtl

/// Watches the clients of one worker leave while it is being stopped, and decides when those who do not
/// are disconnected by force. A value without clock or I/O.
///
/// It runs beside the worker's stop steps, from the ask to KILL, and prolongs none of them. The force comes
/// when the clients' time is over, or so long before KILL that it can still help: a worker that waits for
/// its clients ends by itself once they are gone. Where connections cannot be destroyed, the worker's end is
/// the force: it goes on to its next step when the clients' time is over, but not for the sake of a margin
/// that is of no use then.
///
/// No kernel event tells that a connection has ended, so this looks again while there are some, at pauses
/// that grow from 50 ms to 1 s; and after the force, because who was disconnected may come back.
package struct ClientDrain: Sendable, Equatable {
  package enum Action: Sendable, Equatable {
    /// So many are connected now.
    case changed(Int)
    /// End all connections; answer with ``disconnected(_:left:isPossible:at:)``.
    case disconnect
    /// Go on to the worker's next harder step.
    case pushOn
    /// So many were disconnected by force.
    case forced(Int)
  }

  private static let firstPause = Duration.milliseconds(50)
  private static let longestPause = Duration.seconds(1)
  /// What a worker has left to end by itself after the force, unless it has little time in all.
  private static let longestMargin = Duration.seconds(2)

  private let began: MonotonicInstant
  private let patience: Duration
  /// Whether the kernel's table can tell who is connected: there is a port.
  private let hasTable: Bool
  private var seenInTable: Int?
  private var report: ReportedClients?
  private var killInstant: MonotonicInstant?
  private var canDisconnect = true
  private var hasDisconnected = false
  private var hasPushed = false
  private var hasCountedSignal = false
  /// How many were counted as cut off by a signal and may be connected still.
  private var countedBySignal = 0
  /// KILL has been sent: nothing is to be decided any more.
  package private(set) var isOver = false
  private var pause = ClientDrain.firstPause
  private var nextPoll: MonotonicInstant?
  private var soon: MonotonicInstant?
  private var lastLook: MonotonicInstant?

  /// - Parameters:
  ///   - began: When the worker was asked.
  ///   - patience: How long clients have from then on.
  ///   - hasTable: Whether there is a port to look at.
  package init(began: MonotonicInstant, patience: Duration, hasTable: Bool) {
    self.began = began
    self.patience = patience
    self.hasTable = hasTable
    self.soon = hasTable ? began : nil
  }

  /// How many are connected, by the last account there is: the kernel's, or, of a worker without a port,
  /// its own.
  package var connected: Int {
    self.hasTable ? self.seenInTable ?? 0 : self.report?.connected ?? 0
  }

  /// When to look again; nil if there is nothing to be seen or done.
  package var nextLook: MonotonicInstant? {
    guard self.hasTable, !self.isOver else { return nil }
    var next = [self.soon, self.nextPoll].compactMap(\.self).min()
    if let limit = self.limit, self.lastLook.map({ $0 < limit }) ?? true {
      next = next.map { min($0, limit) } ?? limit
    }
    return next
  }

  /// Nobody is there, by the worker's account and by the kernel's.
  private var isSettled: Bool { self.report?.isNone == true && self.seenInTable == 0 }

  /// When the clients' time is over; nil if never before KILL.
  private var limit: MonotonicInstant? {
    guard !self.isSettled else { return nil }
    let end = self.began.advanced(by: self.patience)
    guard let kill = self.killInstant else { return end }
    guard self.canDisconnect else { return end < kill ? end : nil }
    let margin = min(Self.longestMargin, self.began.duration(to: kill) / 4)
    return min(end, kill.advanced(by: .zero - margin))
  }

  // MARK: Events

  /// The worker's steps have moved: KILL is due then.
  package mutating func killIsDue(at instant: MonotonicInstant, now: MonotonicInstant) {
    guard instant != self.killInstant else { return }
    self.killInstant = instant
    // What was far off may be over.
    if let limit = self.limit, limit <= now { self.lookSoon(at: now) }
  }

  /// Something happened by which clients may have left.
  package mutating func lookSoon(at now: MonotonicInstant) {
    if self.hasTable { self.soon = min(self.soon ?? now, now) }
  }

  /// So many connections are in the table; nil if it could not be read.
  package mutating func seen(_ count: Int?, at now: MonotonicInstant) -> [Action] {
    guard self.hasTable, !self.isOver else { return [] }
    self.lastLook = now
    self.soon = nil
    if count == 0, !self.hasDisconnected {
      self.nextPoll = nil
    } else if self.nextPoll.map({ $0 <= now }) ?? true {
      self.nextPoll = now.advanced(by: self.pause)
      self.pause = min(self.pause * 2, Self.longestPause)
    }
    guard let count else { return [] }
    let actions = self.count(count)
    guard count > 0, let limit = self.limit, now >= limit else { return actions }
    return actions + (self.canDisconnect ? [.disconnect] : self.push())
  }

  /// The worker has agreed to stop, and said this of its clients.
  package mutating func reported(_ report: ReportedClients?, at now: MonotonicInstant) -> [Action] {
    let before = self.connected
    if let report { self.report = report }
    self.lookSoon(at: now)
    return self.connected == before ? [] : [.changed(self.connected)]
  }

  /// What came of `.disconnect`.
  ///
  /// - Parameter isPossible: False if connections are left that cannot be ended.
  package mutating func disconnected(
    _ ended: Int, left: Int, isPossible: Bool, at now: MonotonicInstant
  ) -> [Action] {
    guard !self.isOver else { return [] }
    var actions: [Action] = []
    if ended > 0 {
      self.hasDisconnected = true
      // Each of them once.
      let counted = min(ended, self.countedBySignal)
      self.countedBySignal -= counted
      if ended > counted { actions.append(.forced(ended - counted)) }
    }
    actions += self.count(left)
    self.pause = Self.firstPause
    self.nextPoll = now.advanced(by: self.pause)
    if !isPossible {
      self.canDisconnect = false
      if left > 0, let limit = self.limit, now >= limit { actions += self.push() }
    }
    return actions
  }

  /// The worker is sent a signal harder than what it was asked by: whoever is connected is cut off by its end.
  package mutating func signalled(isKill: Bool) -> [Action] {
    guard !self.isOver else { return [] }
    if isKill { self.isOver = true }
    guard self.connected > 0, !self.hasCountedSignal else { return [] }
    self.hasCountedSignal = true
    self.countedBySignal = self.connected
    return [.forced(self.connected)]
  }

  private mutating func count(_ count: Int) -> [Action] {
    let before = self.connected
    self.seenInTable = count
    return count == before ? [] : [.changed(count)]
  }

  private mutating func push() -> [Action] {
    guard !self.hasPushed else { return [] }
    self.hasPushed = true
    return [.pushOn]
  }
}
