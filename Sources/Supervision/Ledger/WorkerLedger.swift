internal import SystemPackage

/// Who writes down what the master starts, so that the next one finds it if this
/// one dies. Called on the scheduler's thread; it never fails, it complains.
package protocol WorkerLedger: AnyObject {
  /// The worker's first process runs, as of now.
  func started(_ entry: Ledger.Entry)
  /// Nobody of the worker is left.
  func ended(worker: String)
}

extension Master {
  /// Every worker as the ledger knows it before the first start: by its cookie.
  var ledgerEntries: [Ledger.Entry] { self.workers.map { $0.ledgerEntry() } }
}

extension WorkerRecord {
  func ledgerEntry(cgroup: FilePath? = nil) -> Ledger.Entry {
    Ledger.Entry(
      worker: self.definition.name, cookie: self.cookie, port: self.definition.port, leader: self.leader,
      leaderIsGuard: self.guardian != nil, cgroup: cgroup)
  }
}
