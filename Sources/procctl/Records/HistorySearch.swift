internal import ProcCtl
internal import Supervision

/// The history that tells of a worker, among those of all configurations in question.
struct HistorySearch {
  typealias Found = (history: WorkerHistory, masterLives: Bool)

  /// Nil if there is none, or more than one.
  private(set) var found: Found?
  /// Whose they are, if there is more than one and not just one of the masters runs.
  private(set) var several: [String] = []
  /// All workers that are told of.
  private(set) var workers: [String] = []

  /// - Throws: `ProcessError` if nothing tells of the worker and something cannot be read.
  init(_ source: RecordSource, worker: String) throws(ProcessError) {
    var candidates: [(name: LedgerName, found: Found)] = []
    var obstacle: ProcessError?
    for name in source.names(ending: HistoryFile.ending) {
      do throws(ProcessError) {
        guard let next = try HistoryFile.newest(in: source.directories, name: name) else { continue }
        self.workers += next.history.workers
        if next.history.events(of: worker).contains(where: { $0.kind != .commanded }) {
          candidates.append((name, next))
        }
      } catch {
        obstacle = obstacle ?? error
      }
    }
    let living = candidates.filter(\.found.masterLives)
    if living.count == 1 { candidates = living }
    if candidates.count > 1 {
      self.several = candidates.map { $0.found.history.configuration ?? $0.name.configuration }
    }
    if candidates.count == 1 { self.found = candidates[0].found }
    if candidates.isEmpty, let obstacle { throw obstacle }
  }
}
