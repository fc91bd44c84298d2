public import SystemPackage

/// What one of our children said about itself (sd_notify(3)), and who it was
/// by the kernel's account. Whose word counts is for the receiver to decide.
public struct Notification: Hashable, Sendable {
  /// The sender at the time of sending, as this pid namespace sees it (SCM_CREDENTIALS, unix(7)).
  public let pid: Int32
  /// The sender's user id, as our user namespace sees it.
  public let uid: UInt32
  /// The sender's group id, as our user namespace sees it.
  public let gid: UInt32
  /// In the order they came; of a name given twice, the last counts.
  public let assignments: [Assignment]
  /// How many descriptors came along. They are closed already: nothing here stores them.
  public let descriptorCount: Int

  package init(pid: Int32, uid: UInt32, gid: UInt32, assignments: [Assignment], descriptorCount: Int = 0) {
    self.pid = pid
    self.uid = uid
    self.gid = gid
    self.assignments = assignments
    self.descriptorCount = descriptorCount
  }

  /// The value of an assignment, nil if it is not there.
  public subscript(name: String) -> String? {
    self.assignments.last { $0.name == name }?.value
  }

  /// READY=1
  public var isReady: Bool { self["READY"] == "1" }
  /// RELOADING=1
  public var isReloading: Bool { self["RELOADING"] == "1" }
  /// STOPPING=1
  public var isStopping: Bool { self["STOPPING"] == "1" }
  /// STATUS=
  public var status: String? { self["STATUS"] }
  /// WATCHDOG=1
  public var isWatchdogPing: Bool { self["WATCHDOG"] == "1" }
  /// WATCHDOG=trigger: the sender asks to be treated as if its watchdog had run out.
  public var isWatchdogTrigger: Bool { self["WATCHDOG"] == "trigger" }
  /// BARRIER=1; the sender has been let go by the time this is seen.
  public var isBarrier: Bool { self["BARRIER"] == "1" }

  /// MAINPID=, in the sender's pid namespace; nil if absent or no pid.
  public var mainProcess: Int32? {
    guard let pid = self["MAINPID"].flatMap({ Int32($0) }), pid > 0 else { return nil }
    return pid
  }

  /// WATCHDOG_USEC=: the watchdog timeout the sender wants from now on.
  public var watchdogTimeout: Duration? { self.duration("WATCHDOG_USEC") }
  /// EXTEND_TIMEOUT_USEC=: how much longer the sender needs, counted from now.
  public var extendedTimeout: Duration? { self.duration("EXTEND_TIMEOUT_USEC") }
  /// ERRNO=: why it failed.
  public var failure: Errno? {
    guard let number = self["ERRNO"].flatMap({ Int32($0) }), number > 0 else { return nil }
    return Errno(rawValue: number)
  }

  private func duration(_ name: String) -> Duration? {
    guard let microseconds = self[name].flatMap({ Int64($0) }), microseconds > 0 else { return nil }
    return .microseconds(microseconds)
  }
}
