package import ProcCtl
package import SystemPackage

/// What to do about the ledger of a master that is gone: decided from what it
/// says, and believing no more of it than must be.
package struct LeftoverPlan: Sendable {
  /// What is left of one worker.
  package struct Remains: Sendable {
    /// Nil for what is in the master's cgroup and in no worker's.
    package var entry: Ledger.Entry?
    /// The leader, as far as its number means anything here.
    package var leader: ProcessIdentity?
    package var cgroup: FilePath?
    package var escalation: Escalation

    package var name: String { self.entry?.worker ?? "what belonged to no worker" }
  }

  package var remains: [Remains] = []
  /// The cgroup that held those of the workers.
  package var cgroup: FilePath?
  /// What the ledger says and is not believed.
  package var doubts: [String] = []

  /// How long leftovers are asked before they are killed.
  package static let grace = Duration.seconds(3)

  /// - Parameters:
  ///   - namespace: The pid namespace we are in.
  ///   - hierarchy: The cgroup tree we are in, if there is one.
  package init(
    _ ledger: Ledger, definitions: [WorkerDefinition], namespace: UInt64, hierarchy: CgroupHierarchy?
  ) {
    let isHere = ledger.header.namespace == namespace
    if let cgroup = ledger.header.cgroup {
      if let hierarchy, Self.isParent(cgroup, of: ledger.header.master.identity, in: hierarchy) {
        self.cgroup = cgroup
      } else {
        self.doubts.append("\(cgroup) cannot be a cgroup of pid \(ledger.header.master.identity)")
      }
    }
    let byName = Dictionary(definitions.map { ($0.name, $0) }) { first, _ in first }
    for entry in ledger.entries {
      var remains = Remains(
        entry: entry, leader: isHere ? entry.leader : nil,
        escalation: Self.escalation(for: byName[entry.worker]))
      if let path = entry.cgroup {
        if let parent = self.cgroup, path.removingLastComponent() == parent, path.isLexicallyNormal {
          remains.cgroup = path
        } else {
          self.doubts.append("\(path) cannot be a cgroup of \(entry.worker)")
        }
      }
      self.remains.append(remains)
    }
    if let cgroup = self.cgroup {
      self.remains.append(Remains(cgroup: cgroup, escalation: .standard(grace: Self.grace)))
    }
  }

  /// A directory called as masters call theirs, in our tree, and without us in it.
  package static func isParent(
    _ path: FilePath, of master: ProcessIdentity, in hierarchy: CgroupHierarchy
  ) -> Bool {
    path.isAbsolute && path.isLexicallyNormal && path.starts(with: hierarchy.mountPoint)
      && path != hierarchy.mountPoint
      && path.lastComponent?.string == "procctl-\(master.processIdentifier)"
      && !hierarchy.own.starts(with: path)
  }

  /// The worker's own signals, in less time: nobody waits for what they would save.
  package static func escalation(for definition: WorkerDefinition?) -> Escalation {
    guard let stop = definition?.stop else { return .standard(grace: self.grace) }
    let steps = stop.fitting(self.grace).compactMap { step -> Escalation.Step? in
      guard case .signal(let signal, let wait) = step, signal != .kill else { return nil }
      return Escalation.Step(signal, wait: min(wait ?? self.grace, self.grace))
    }
    // A worker that knows requests only is told by a signal here.
    if steps.isEmpty, stop.count > 1 { return .standard(grace: self.grace) }
    return Escalation(steps: steps)
  }
}
