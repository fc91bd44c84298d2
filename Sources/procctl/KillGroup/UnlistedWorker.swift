internal import ProcCtl
internal import Supervision
internal import SystemPackage

/// A worker that no ledger tells of. A master that ends in order leaves none, and somebody may have removed
/// that of another; by its marks alone nobody is found.
enum UnlistedWorker {
  /// What can be said of it.
  enum Fate {
    /// It does not run, and why that is known.
    case gone(String)
    /// Whether anybody of it is left is not known, and why.
    case unknown(String)
  }

  static func fate(of selector: KnownWorker.Selector) throws(ProcessError) -> Fate {
    for master in RunningMaster.all() {
      guard let status = master.status, let worker = status[worker: selector.worker],
        selector.matches(master: status.pid, configuration: status.configuration)
      else { continue }
      let leader = worker.pid.map { "; its first process is \($0)" } ?? ""
      return .unknown(
        "\(Self.name(status.configuration)) (pid \(status.pid)) has a worker \(selector.worker), but no "
          + "ledger of that is there: who belongs to it cannot be told; \"procctl stop\" ends it\(leader)")
    }
    return try self.pastFate(of: selector)
  }

  /// By the histories that masters keep.
  private static func pastFate(of selector: KnownWorker.Selector) throws(ProcessError) -> Fate {
    let directories = RecordDirectory.candidates(nil)
    let boot = try RecordedProcess.currentBoot()
    var gone: String?
    for name in RecordDirectory.names(in: directories, ending: HistoryFile.ending) {
      guard let (history, masterLives) = try HistoryFile.newest(in: directories, name: name),
        history.workers.contains(selector.worker), let last = history.events(of: "").last
      else { continue }
      let configuration = history.configuration ?? name.configuration
      guard selector.matches(master: last.pid ?? 0, configuration: configuration) else { continue }
      if masterLives {
        return .unknown(
          "a master that runs has a worker \(selector.worker) (\(Self.name(configuration))), but no "
            + "ledger of that is there: who belongs to it cannot be told")
      }
      let isOtherBoot = last.boot.map { $0 != boot } ?? false
      guard last.kind == .masterEnded || isOtherBoot else {
        return .unknown(
          "the last master with a worker \(selector.worker) (\(Self.name(configuration))) did not end "
            + "in order, and no ledger of it is there: whether anybody is left cannot be told")
      }
      gone = gone ?? Self.name(configuration)
    }
    if let gone { return .gone("worker \(selector.worker) does not run: its master (\(gone)) has ended") }
    return .gone("no master that we can find has a worker @\(selector.text)")
  }

  private static func name(_ configuration: String) -> String {
    PrintableText.escaping(configuration.utf8, limit: 4096)
  }
}
