internal import SystemdNotify

/// One thing that happened in a worker's life, as its history keeps it.
package struct WorkerEvent: Codable, Sendable, Equatable {
  package enum Kind: String, Codable, Sendable {
    /// A master began to supervise; of no worker.
    case masterBegan = "master-began"
    /// It ended in order; of no worker.
    case masterEnded = "master-ended"
    case commanded
    case started
    case ready
    case leaderEnded = "leader-ended"
    /// Its processes are being ended; the cause says why.
    case stopping
    /// It will be started, or tried, again.
    case waiting
    case blocked
    case stopped
    case failed
  }

  /// Why a worker is being ended, or why it is not started.
  package enum Cause: String, Codable, Sendable {
    /// Somebody commanded it to stop or to start again.
    case command
    /// The master stops.
    case shutdown
    /// Its leader has ended, so that what is left of it is ended too.
    case leaderEnded = "leader-ended"
    /// It was not ready in time.
    case neverReady = "never-ready"
    /// It was ready and its check failed.
    case unhealthy
    /// Its program cannot be executed.
    case cannotStart = "cannot-start"
    /// Somebody else has its port.
    case portBlocked = "port-blocked"
  }

  /// Empty for what is of no worker.
  package var worker: String
  /// Since 1970.
  package var at: Microseconds
  package var kind: Kind
  package var pid: Int32?
  package var port: UInt16?
  /// The how manieth start of this master's.
  package var start: Int?
  /// Since it became ready, or if it never did, since it was started.
  package var after: Microseconds?
  package var wasReady: Bool?
  package var cause: Cause?
  package var command: WorkerCommand?
  package var exitStatus: Int32?
  package var signal: String?
  package var coreDumped: Bool?
  /// What we had sent to its processes before.
  package var sent: String?
  /// In the master's words.
  package var reason: String?
  /// Until the next try.
  package var next: Microseconds?
  /// How many in a row this one stands for, if not one.
  package var times: Int?
  /// Of a master's own events: ``RecordedProcess/currentBoot()``.
  package var boot: String?
  /// Of a master's own events: its configuration, as ``LedgerName`` has it.
  package var configuration: String?

  package init(worker: String, at: Microseconds, kind: Kind) {
    self.worker = worker
    self.at = at
    self.kind = kind
  }

  private enum CodingKeys: String, CodingKey {
    case worker, at, kind, pid, port, start, after, cause, command, signal, sent, reason, next, times
    case boot, configuration
    case wasReady = "was_ready"
    case exitStatus = "exit_status"
    case coreDumped = "core_dumped"
  }

  /// A line of JSON with its newline. Written by hand: a thousand workers that start write two
  /// thousand of them while they do.
  package var line: [UInt8] {
    var text = JSONText()
    text.open("{")
    text.member(CodingKeys.worker.rawValue, self.worker)
    text.member(CodingKeys.at.rawValue, self.at.count)
    text.member(CodingKeys.kind.rawValue, self.kind.rawValue)
    func add(_ key: CodingKeys, _ value: String?) { if let value { text.member(key.rawValue, value) } }
    func add(_ key: CodingKeys, _ value: (some BinaryInteger)?) {
      if let value { text.member(key.rawValue, value) }
    }
    func add(_ key: CodingKeys, _ value: Bool?) { if let value { text.member(key.rawValue, value) } }
    add(.pid, self.pid)
    add(.port, self.port)
    add(.start, self.start)
    add(.after, self.after?.count)
    add(.wasReady, self.wasReady)
    add(.cause, self.cause?.rawValue)
    add(.command, self.command?.rawValue)
    add(.exitStatus, self.exitStatus)
    add(.signal, self.signal)
    add(.coreDumped, self.coreDumped)
    add(.sent, self.sent)
    add(.reason, self.reason)
    add(.next, self.next?.count)
    add(.times, self.times)
    add(.boot, self.boot)
    add(.configuration, self.configuration)
    text.close("}")
    return text.bytes + [UInt8(ascii: "\n")]
  }
}
