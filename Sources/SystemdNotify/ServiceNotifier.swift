internal import CProcCtl
internal import Glibc
public import SystemPackage

/// Tells the service manager that started us how we are (sd_notify(3)).
///
/// Without a `NOTIFY_SOCKET` every call does nothing, so a program says the same
/// things wherever it runs. No call but ``barrier(timeout:)`` waits: a full
/// socket is an error with code `.queueFull`, which is worth a log line and no more.
/// May be used from any thread.
public struct ServiceNotifier: Sendable {
  private let transport: (any NotificationTransport)?
  private let monotonicMicroseconds: @Sendable () -> UInt64

  /// Reads `NOTIFY_SOCKET` once; what happens to the environment later does not matter.
  ///
  /// - Throws: ``NotificationError`` with code `.unsupportedAddress` if it names no socket we can reach.
  public init() throws(NotificationError) {
    guard let value = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), !value.isEmpty else {
      self.init(transport: nil)
      return
    }
    self.init(transport: DatagramTransport(to: try NotifyAddress(environmentValue: value)))
  }

  /// For tests and the simulation: records instead of sending, with a clock of their own.
  package init(
    transport: (any NotificationTransport)?,
    monotonicMicroseconds: @escaping @Sendable () -> UInt64 = ServiceNotifier.readMonotonicClock
  ) {
    self.transport = transport
    self.monotonicMicroseconds = monotonicMicroseconds
  }

  /// One that says nothing to nobody.
  public static let inactive = ServiceNotifier(transport: nil)

  /// Why what `NOTIFY_SOCKET` names cannot be reached, by us, now; nil if it can, or if it names nothing.
  ///
  /// Nothing is sent. Who receives there need not notice.
  package static func obstacle() -> NotificationError? {
    guard let value = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), !value.isEmpty else { return nil }
    do throws(NotificationError) {
      let address = try NotifyAddress(environmentValue: value)
      let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
      let socket = Glibc.socket(AF_UNIX, type, 0)
      guard socket >= 0 else { throw address.failure("socket") }
      defer { close(socket) }
      let isReached = address.withSocketAddress { connect(socket, $0, $1) == 0 }
      if !isReached { throw address.failure("connect to \(address)") }
      return nil
    } catch {
      return error
    }
  }

  /// Whether somebody asked to be told.
  public var isActive: Bool { self.transport != nil }

  // MARK: What can be said

  /// Start-up (or a reload) is finished.
  ///
  /// - Throws: As ``send(_:descriptors:)``.
  public func ready(status: String? = nil) throws(NotificationError) {
    try self.send([Assignment(trusted: "READY", "1")] + (status.map { [Assignment.status($0)] } ?? []))
  }

  /// One line about what we are doing, shown by `systemctl status`. Control characters are
  /// escaped, and what exceeds 1024 bytes is cut.
  ///
  /// - Throws: As ``send(_:descriptors:)``.
  public func status(_ text: String) throws(NotificationError) {
    try self.send([Assignment.status(text)])
  }

  /// The shutdown has begun.
  ///
  /// - Throws: As ``send(_:descriptors:)``.
  /// - Important: From here systemd counts TimeoutStopSec; see ``extendTimeout(by:)``.
  public func stopping(status: String? = nil) throws(NotificationError) {
    try self.send([Assignment(trusted: "STOPPING", "1")] + (status.map { [Assignment.status($0)] } ?? []))
  }

  /// The configuration is being read again; ``ready(status:)`` ends it.
  ///
  /// - Throws: As ``send(_:descriptors:)``.
  public func reloading() throws(NotificationError) {
    try self.send([
      Assignment(trusted: "RELOADING", "1"),
      // Type=notify-reload ignores a message without it.
      Assignment(trusted: "MONOTONIC_USEC", String(self.monotonicMicroseconds())),
    ])
  }

  /// Asks for this much time, counted from now, for the start, stop or reload that is under way.
  ///
  /// - Throws: As ``send(_:descriptors:)``; with code `.invalidAssignment` also for less than a microsecond and for
  ///   more than the protocol's number holds.
  public func extendTimeout(by time: Duration) throws(NotificationError) {
    let microseconds = time / .microseconds(1)
    guard microseconds >= 1, microseconds < 1e18 else {
      throw NotificationError(.invalidAssignment, doing: "cannot extend the timeout by \(time)")
    }
    try self.send([Assignment(trusted: "EXTEND_TIMEOUT_USEC", String(UInt64(microseconds)))])
  }

  /// We are alive; see ``Watchdog`` for how often to say so.
  ///
  /// - Throws: As ``send(_:descriptors:)``.
  public func watchdogPing() throws(NotificationError) {
    try self.send([Assignment(trusted: "WATCHDOG", "1")])
  }

  /// Another process than the one systemd started is the main one.
  ///
  /// - Throws: As ``send(_:descriptors:)``; with code `.invalidAssignment` also for what is no process id.
  public func mainProcess(_ pid: Int32) throws(NotificationError) {
    guard pid > 0 else {
      throw NotificationError(.invalidAssignment, doing: "\(pid) is no main process")
    }
    try self.send([Assignment(trusted: "MAINPID", String(pid))])
  }

  /// Start-up or operation failed with this errno(3).
  ///
  /// - Throws: As ``send(_:descriptors:)``.
  public func failure(_ error: Errno) throws(NotificationError) {
    try self.send([Assignment(trusted: "ERRNO", String(error.rawValue))])
  }

  /// Leaves descriptors with the service manager, which hands them to our next incarnation as
  /// ``ListenDescriptors`` of this name. Ours stay open. Needs FileDescriptorStoreMax= in the unit.
  ///
  /// - Throws: ``NotificationError`` with code `.invalidAssignment` if there are more than 253, or
  ///   the name is empty, longer than 255 bytes, or holds a colon or anything unprintable.
  public func storeDescriptors(_ descriptors: [FileDescriptor], name: String) throws(NotificationError) {
    guard descriptors.count <= ControlMessages.descriptorLimit else {
      throw NotificationError(
        .invalidAssignment,
        doing: "\(descriptors.count) descriptors do not fit one message (\(ControlMessages.descriptorLimit))")
    }
    let name = try ServiceNotifier.descriptorName(name)
    try self.send([Assignment(trusted: "FDSTORE", "1"), name], descriptors: descriptors)
  }

  /// Takes every descriptor of this name out of the store.
  ///
  /// - Throws: As ``send(_:descriptors:)``; with code `.invalidAssignment` also for a name that
  ///   ``storeDescriptors(_:name:)`` would refuse.
  public func removeStoredDescriptors(name: String) throws(NotificationError) {
    let name = try ServiceNotifier.descriptorName(name)
    try self.send([Assignment(trusted: "FDSTOREREMOVE", "1"), name])
  }

  private static func descriptorName(_ name: String) throws(NotificationError) -> Assignment {
    let printable = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
    guard !name.isEmpty, name.utf8.count <= 255, printable else {
      throw NotificationError(
        .invalidAssignment, doing: "\(name.debugDescription) cannot name stored descriptors")
    }
    return Assignment(trusted: "FDNAME", name)
  }

  // MARK: Barrier

  /// Blocks until the receiver has taken everything sent so far, or the time is up. For the
  /// moment before an exit, after which what is still queued might not be attributed to us.
  ///
  /// - Throws: ``NotificationError`` with code `.timedOut`, or as ``beginBarrier()``.
  public func barrier(timeout: Duration) throws(NotificationError) {
    guard let barrier = try self.beginBarrier() else { return }
    defer { try? barrier.close() }
    let now = self.monotonicMicroseconds()
    let deadline = now + UInt64(max(0, min(timeout / .microseconds(1), 1e15)))
    while true {
      let remaining = max(0, Int64(deadline) - Int64(self.monotonicMicroseconds()))
      var entry = pollfd(fd: barrier.rawValue, events: 0, revents: 0)
      // Rounded up, so as not to spin through the last millisecond.
      let count = poll(&entry, 1, Int32(clamping: (remaining + 999) / 1000))
      if count > 0 { return }
      if count < 0, errno != EINTR {
        throw NotificationError(.socket, doing: "poll", underlyingError: Errno(rawValue: errno))
      }
      guard self.monotonicMicroseconds() < deadline else {
        throw NotificationError(
          .timedOut, doing: "the service manager did not read our notifications in \(timeout)")
      }
    }
  }

  /// The same for an event loop: hangs up (EPOLLHUP) when the receiver has taken everything. The
  /// descriptor is the caller's to close. Nil when nobody listens.
  package func beginBarrier() throws(NotificationError) -> FileDescriptor? {
    guard self.isActive else { return nil }
    var ends: [Int32] = [-1, -1]
    // Close-on-exec from birth, which pipe(2) cannot.
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw NotificationError(.socket, doing: "socketpair", underlyingError: Errno(rawValue: errno))
    }
    let (watched, sent) = (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
    // The receiver's copy must be the last one.
    defer { try? sent.close() }
    do throws(NotificationError) {
      try self.send([Assignment(trusted: "BARRIER", "1")], descriptors: [sent])
    } catch {
      try? watched.close()
      throw error
    }
    return watched
  }

  // MARK: Underneath

  /// Sends any assignments in one message. The descriptors stay the caller's.
  ///
  /// - Throws: ``NotificationError``: `.invalidAssignment` if the message exceeds the 4096 bytes
  ///   that systemd reads, `.queueFull` if the receiver is behind, `.socket` for the rest.
  public func send(
    _ assignments: [Assignment], descriptors: [FileDescriptor] = []
  ) throws(NotificationError) {
    guard let transport = self.transport, !assignments.isEmpty else { return }
    let message = Assignment.encode(assignments)
    guard message.count <= Assignment.messageLimit else {
      throw NotificationError(
        .invalidAssignment,
        doing: "a notification of \(message.count) bytes is longer than \(Assignment.messageLimit)")
    }
    try transport.send(message, descriptors: descriptors)
  }

  package static let readMonotonicClock: @Sendable () -> UInt64 = {
    UInt64(cprocctl_monotonic_nanoseconds()) / 1000
  }
}

extension NotifyAddress {
  fileprivate func failure(_ what: String) -> NotificationError {
    NotificationError(.socket, doing: what, underlyingError: Errno(rawValue: errno))
  }
}
