package import ProcCtl
package import SystemPackage

/// What a master would have to know of the one before it: who that was, and
/// what it had started. A value; ``LedgerFile`` keeps it on disk.
package struct Ledger: Sendable, Equatable {
  /// Who keeps the ledger.
  package struct Header: Sendable, Equatable {
    package var master: RecordedProcess
    /// The pid namespace (pid_namespaces(7)) that process numbers are of; 0 if it is not known.
    package var namespace: UInt64
    /// The cgroup that holds one per worker, if there is one.
    package var cgroup: FilePath?
    /// What ``LedgerName/configuration`` says.
    package var configuration: String

    package init(
      master: RecordedProcess, namespace: UInt64, cgroup: FilePath? = nil, configuration: String
    ) {
      self.master = master
      self.namespace = namespace
      self.cgroup = cgroup
      self.configuration = configuration
    }
  }

  /// One worker, whether it runs or not: a process of it may exist from before its start was written down.
  package struct Entry: Sendable, Equatable {
    package var worker: String
    /// The value of ``attributionCookieName`` in the environment of everything it starts.
    package var cookie: ByteString
    package var port: UInt16?
    /// Its first process; nil while it does not run.
    package var leader: ProcessIdentity?
    /// Whether the leader is a guard of ours that ends the worker when asked to stop.
    package var leaderIsGuard: Bool
    package var cgroup: FilePath?

    package init(
      worker: String, cookie: ByteString, port: UInt16? = nil, leader: ProcessIdentity? = nil,
      leaderIsGuard: Bool = false, cgroup: FilePath? = nil
    ) {
      self.worker = worker
      self.cookie = cookie
      self.port = port
      self.leader = leader
      self.leaderIsGuard = leaderIsGuard
      self.cgroup = cgroup
    }
  }

  package var header: Header
  /// In the order in which they were first heard of.
  package private(set) var entries: [Entry] = []
  private var positions: [String: Int] = [:]

  package init(header: Header, entries: [Entry] = []) {
    self.header = header
    for entry in entries { self.started(entry) }
  }

  /// The worker has a new first process, or is only made known.
  package mutating func started(_ entry: Entry) {
    if let position = self.positions[entry.worker] {
      self.entries[position] = entry
    } else {
      self.positions[entry.worker] = self.entries.count
      self.entries.append(entry)
    }
  }

  /// Nobody of the worker is left.
  package mutating func ended(worker: String) {
    guard let position = self.positions[worker] else { return }
    self.entries[position].leader = nil
    self.entries[position].leaderIsGuard = false
    self.entries[position].cgroup = nil
  }

  package subscript(worker: String) -> Entry? {
    self.positions[worker].map { self.entries[$0] }
  }
}
