internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Ends processes that are not our children: watches each by a pidfd, which
/// becomes readable when it ends (pidfd_open(2)), and looks afresh who belongs
/// to the targets at every change.
///
/// Confined to the loop's thread.
package final class ForeignStop {
  private let loop: EventLoop
  private let kernel = LinuxKernel()
  private var selections: [StopSelection]
  private var watched: [ProcessIdentity: FileDescriptor] = [:]
  private var termination: Termination?
  private let supervisors: Set<ProcessIdentity>
  private var supervised: Set<ProcessIdentity> = []

  /// - Parameter supervisors: Those among the targets that end what is below them when asked to stop.
  package init(loop: EventLoop, selections: [StopSelection], supervisors: Set<ProcessIdentity> = []) {
    self.loop = loop
    self.supervisors = supervisors
    self.selections = selections
  }

  /// Everyone who would be ended now.
  ///
  /// A process that forks and ends between the listing of /proc and the reading of
  /// its entry hides its child for once, so nobody is nobody only when looked for twice.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be read.
  package func members() throws(ProcessError) -> [ProcessStatus] {
    let members = try self.look()
    return members.isEmpty ? try self.look() : members
  }

  private func look() throws(ProcessError) -> [ProcessStatus] {
    let processes = try self.kernel.allProcesses()
    var seen: Set<ProcessIdentity> = []
    var members: [ProcessStatus] = []
    for index in self.selections.indices {
      let selected = try self.selections[index].select(from: processes) { (process) throws(ProcessError) in
        try self.kernel.cookie(of: process)
      }
      for member in selected where seen.insert(member.identity).inserted {
        members.append(member)
        if self.selections[index].isSupervised { self.supervised.insert(member.identity) }
      }
    }
    return members
  }

  /// Why the stop must not happen: it would end us, an ancestor of ours, or
  /// process 1. Nil if it may.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be known.
  package func objection() throws(ProcessError) -> String? {
    var protected: [ProcessIdentifier: String] = [ProcessIdentifier(1): "it is process 1"]
    var ancestor = self.kernel.selfIdentifier
    protected[ancestor] = "it is this very process"
    while let parent = try self.kernel.status(of: ancestor)?.parent, parent.value > 1 {
      protected[parent] = "it started this process"
      ancestor = parent
    }
    for member in try self.members() {
      if let reason = protected[member.processIdentifier] {
        return "would end pid \(member.processIdentifier) (\(member.name.printable)): \(reason)"
      }
    }
    return nil
  }

  /// Ends them; the completion is called once, on the loop's thread.
  package func start(_ escalation: Escalation, completion: @escaping (StopResult) -> Void) {
    let target = Termination.Target(
      members: { [self] () throws(ProcessError) in
        let members = try self.members()
        self.watch(members)
        return members
      },
      send: { [self] signal, members in
        self.kernel.send(signal, toAll: self.addressees(of: signal, among: members))
      })
    let termination = Termination(scheduler: self.loop, escalation: escalation, target: target) {
      [self] result in
      self.unwatchAll()
      completion(result)
    }
    self.termination = termination
    termination.start()
  }

  /// A supervisor that is asked to stop stops its command by itself, once, on its
  /// own terms. By KILL it goes last: what it supervises would escape it otherwise.
  private func addressees(of signal: Signal, among members: [ProcessStatus]) -> [ProcessStatus] {
    let others = members.filter { !self.supervisors.contains($0.identity) }
    if others.count == members.count { return members }
    if signal == .kill { return others.isEmpty ? members : others }
    return members.filter { self.supervisors.contains($0.identity) || !self.supervised.contains($0.identity) }
  }

  private func watch(_ members: [ProcessStatus]) {
    for member in members where self.watched[member.identity] == nil {
      let raw = cprocctl_pidfd_open(member.processIdentifier.value, 0)
      // Without a descriptor the end is still noticed when the step's time is over.
      guard raw >= 0 else { continue }
      let descriptor = FileDescriptor(rawValue: raw)
      let identity = member.identity
      do throws(ProcessError) {
        try self.loop.watch(descriptor, for: .readable) { [self] _ in
          self.unwatch(identity)
          self.termination?.membersChanged()
        }
        self.watched[identity] = descriptor
      } catch {
        close(raw)
      }
    }
  }

  private func unwatch(_ identity: ProcessIdentity) {
    guard let descriptor = self.watched.removeValue(forKey: identity) else { return }
    self.loop.unwatch(descriptor)
    close(descriptor.rawValue)
  }

  private func unwatchAll() {
    for identity in Array(self.watched.keys) { self.unwatch(identity) }
  }
}
