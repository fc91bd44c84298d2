package import ProcCtl

/// What to do about whoever has a worker's port. A value without I/O: the same facts give the same step.
package struct PortClearing: Sendable {
  /// What a holder is to us.
  package enum Standing: Sendable, Hashable {
    /// It descends from us or carries our mark, and belongs to no worker that runs.
    case stray
    /// It belongs to a worker that runs.
    case member(of: String)
    case foreign
    /// Process 1, we ourselves, or who started us.
    case exempt
    /// We may not look into who has it, or it is gone by now.
    case unknown
  }

  package struct Candidate: Sendable, Hashable {
    package var holder: PortHolder
    package var process: ProcessIdentity?
    package var standing: Standing

    package init(holder: PortHolder, process: ProcessIdentity?, standing: Standing) {
      self.holder = holder
      self.process = process
      self.standing = standing
    }

    /// `pid 812 (nginx), user web, LISTEN on 0.0.0.0:8081, not ours`.
    package var description: String {
      switch self.standing {
      case .stray: "\(self.holder), ours"
      case .member(let worker): "\(self.holder), of worker \(worker)"
      case .foreign: "\(self.holder), not ours"
      case .exempt: "\(self.holder), not ours to end"
      case .unknown: "\(self.holder)"
      }
    }
  }

  package enum Step: Sendable, Hashable {
    /// The worker can have the port.
    case free
    /// End these, and look again.
    case end([ProcessIdentity], who: String, areOurs: Bool)
    /// Leave things as they are: this is in the way.
    case leave(String)
  }

  /// When somebody has the port.
  package enum Moment: Sendable, Hashable {
    /// It is we who are new there.
    case beforeStart
    /// The worker had it until now.
    case afterEnd
  }

  package var moment: Moment
  private let forcesForeign: Bool
  /// Nobody is tried twice: who survived KILL survives it again.
  private var tried: Set<ProcessIdentity> = []

  /// - Parameter forcesForeign: Whether those who are not ours are ended too; never before a start.
  package init(_ moment: Moment, forcesForeign: Bool) {
    self.moment = moment
    self.forcesForeign = forcesForeign
  }

  package mutating func step(_ verdict: PortVerdict, _ candidates: [Candidate]) -> Step {
    switch verdict {
    case .free: return .free
    case .timeWait(let count):
      let connections = count == 1 ? "1 ended connection" : "\(count) ended connections"
      return .leave("\(connections) in TIME_WAIT, owned by no process, for 60 s at most")
    case .unknown(let why): return .leave("nobody can say who: \(why)")
    case .held: break
    }
    let endsForeign = self.forcesForeign && self.moment == .afterEnd
    for areOurs in endsForeign ? [true, false] : [true] {
      let found = candidates.filter { candidate in
        guard candidate.standing == (areOurs ? .stray : .foreign), let process = candidate.process else {
          return false
        }
        return !self.tried.contains(process)
      }
      let processes = Set(found.compactMap(\.process))
      guard !processes.isEmpty else { continue }
      self.tried.formUnion(processes)
      return .end(
        processes.sorted { $0.processIdentifier < $1.processIdentifier },
        who: found.map(\.description).joined(separator: "; "), areOurs: areOurs)
    }
    return .leave(candidates.map(\.description).joined(separator: "; "))
  }
}
