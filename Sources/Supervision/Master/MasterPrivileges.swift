package import ProcCtl

/// Which capabilities a master that gives up root has to keep, and for which settings.
///
/// A value: the settings and what this process has go in, needs come out.
package struct MasterPrivileges: Sendable, Equatable {
  /// What this process has without any capability: within it, a worker's settings need none.
  package struct Allowance: Sendable, Equatable {
    /// The user the master becomes.
    package var user: UInt32
    /// The hard limits of this process (getrlimit(2)); absent is unlimited.
    package var hardLimits: [Resource: UInt64]
    package var nice: Int32
    package var outOfMemoryScore: Int32
    /// The first port that anybody may bind (ip(7), ip_unprivileged_port_start).
    package var firstFreePort: UInt16

    package init(
      user: UInt32, hardLimits: [Resource: UInt64] = [:], nice: Int32 = 0, outOfMemoryScore: Int32 = 0,
      firstFreePort: UInt16 = 1024
    ) {
      self.user = user
      self.hardLimits = hardLimits
      self.nice = nice
      self.outOfMemoryScore = outOfMemoryScore
      self.firstFreePort = firstFreePort
    }
  }

  /// A worker as far as rights go.
  package struct Worker: Sendable, Equatable {
    package var name: String
    package var port: UInt16?
    package var setup: ChildSetup

    package init(name: String, port: UInt16? = nil, setup: ChildSetup) {
      self.name = name
      self.port = port
      self.setup = setup
    }
  }

  /// One reason to keep capabilities.
  package struct Need: Sendable, Equatable, CustomStringConvertible {
    package var capabilities: CapabilitySet
    /// Nil for the master itself.
    package var worker: String?
    package var setting: String

    package var description: String {
      let place = self.worker.map { "worker \"\($0)\", " } ?? ""
      return "\(self.capabilities) (\(place)\(self.setting))"
    }
  }

  package private(set) var needs: [Need] = []

  /// All that has to be kept.
  package var capabilities: CapabilitySet {
    self.needs.reduce(.none) { $0.union($1.capabilities) }
  }

  /// What cannot be kept because it is not there.
  package func unmet(holding held: CapabilitySet) -> [Need] {
    self.needs.compactMap { need in
      var need = need
      need.capabilities = need.capabilities.subtracting(held)
      return need.capabilities.isEmpty ? nil : need
    }
  }

  package init(for workers: [Worker], beyond allowance: Allowance) {
    // Even workers of our own user may run set-user-ID programs.
    self.needs.append(
      Need(capabilities: .kill, worker: nil, setting: "signals to processes of other users"))
    for worker in workers { self.add(worker, beyond: allowance) }
  }

  private mutating func add(_ worker: Worker, beyond allowance: Allowance) {
    let setup = worker.setup
    func need(_ capabilities: CapabilitySet, _ setting: String) {
      self.needs.append(Need(capabilities: capabilities, worker: worker.name, setting: setting))
    }
    if let credentials = setup.credentials {
      // Setting groups takes it even if they are those one has.
      need(.setGroups, "user, group")
      if credentials.user != allowance.user {
        need(.setUsers, "user")
        // Its descriptors say whether it has the socket that answers on its port, and its
        // environment whose an orphan is: /proc shows both only to who may trace it (proc(5)).
        need(.lookIntoProcesses, "user: /proc/PID/fd and environ of other users")
      }
    }
    if let capabilities = setup.capabilities {
      need(capabilities.union(.setCapabilities), "capabilities")
    }
    for limit in setup.limits {
      guard let own = allowance.hardLimits[limit.resource] else { continue }
      if limit.hard ?? .max > own { need(.exceedResources, "limits: \(limit.resource) above \(own)") }
    }
    if let score = setup.outOfMemoryScore, score < allowance.outOfMemoryScore {
      need(.exceedResources, "oom-score below \(allowance.outOfMemoryScore)")
    }
    if let nice = setup.nice, nice < allowance.nice { need(.raisePriority, "nice below \(allowance.nice)") }
    if let port = worker.port, port < allowance.firstFreePort {
      need(.bindLowPorts, "port \(port): whether it is free is found out by a bind")
    }
  }
}
