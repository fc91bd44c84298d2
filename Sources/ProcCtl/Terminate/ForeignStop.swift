internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Ends processes that are not our children: watches each by a pidfd, which
/// becomes readable when it ends (pidfd_open(2)), and looks afresh who belongs
/// to the targets at every change.
///
/// Confined to the loop's thread.
package final class ForeignStop {
  /// Some of those to be ended, and what the process table does not say about them.
  package struct Part {
    package var selection: StopSelection
    /// Whoever is in it belongs to the root of that index, and KILL goes to all of it at one stroke.
    package var cgroups: [Int: Cgroup]
    /// Whose its marks are by now. Asked after each look; nil where they are always its own.
    package var standing: (() throws(ProcessError) -> Standing)?

    package init(
      _ selection: StopSelection, cgroups: [Int: Cgroup] = [:],
      standing: (() throws(ProcessError) -> Standing)? = nil
    ) {
      self.selection = selection
      self.cgroups = cgroups
      self.standing = standing
    }
  }

  /// What can be said of a part whose marks may pass on to others.
  package enum Standing: Sendable {
    /// Whoever carries its marks is one of it.
    case goesOn
    /// Nothing of it can be left, whoever carries its marks.
    case over
    /// It cannot be told, and why. That is an error as soon as somebody carries its marks.
    case unknown(ProcessError)
  }

  /// A root of a part.
  package struct Place: Hashable, Sendable {
    package var part: Int
    package var root: Int

    package init(part: Int, root: Int) {
      self.part = part
      self.root = root
    }
  }

  /// Everybody there is.
  package typealias ProcessTable = () throws(ProcessError) -> [ProcessStatus]

  private let loop: EventLoop
  private let kernel = LinuxKernel()
  private let processTable: ProcessTable
  private var parts: [Part]
  private var watched: [ProcessIdentity: FileDescriptor] = [:]
  private var termination: Termination?
  private var willLook = false
  private let supervisors: Set<ProcessIdentity>
  private var supervised: Set<ProcessIdentity> = []
  private let exempt: Set<ProcessIdentity>
  private var places: [ProcessIdentity: Place] = [:]
  /// Why each of them was found, the first time.
  private var reasons: [ProcessIdentity: StopSelection.Reason] = [:]
  /// Those whom /proc hides, until they have ended.
  private var unseen: [ProcessIdentity: ProcessStatus] = [:]
  /// Everyone there ever was, in the order of their finding.
  package private(set) var everyone: [(process: ProcessStatus, place: Place)] = []
  /// The last signal each root's processes got.
  package private(set) var lastSignals: [Place: Signal] = [:]

  /// - Parameters:
  ///   - supervisors: Those among the targets that end what is below them when asked to stop.
  ///   - exempt: Those who are left alone whatever connects them.
  ///   - processTable: As a rule /proc.
  package init(
    loop: EventLoop, parts: [Part], supervisors: Set<ProcessIdentity> = [],
    exempt: Set<ProcessIdentity> = [],
    processTable: @escaping ProcessTable = { () throws(ProcessError) in try LinuxKernel().allProcesses() }
  ) {
    self.loop = loop
    self.processTable = processTable
    self.supervisors = supervisors
    self.parts = parts
    self.exempt = exempt
  }

  package convenience init(
    loop: EventLoop, selections: [StopSelection], supervisors: Set<ProcessIdentity> = []
  ) {
    self.init(loop: loop, parts: selections.map { Part($0) }, supervisors: supervisors)
  }

  /// Everyone who would be ended now.
  ///
  /// A process that forks and ends between the listing of /proc and the reading of
  /// its entry hides its child for once, so nobody is nobody only when looked for twice.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be read.
  package func members() throws(ProcessError) -> [ProcessStatus] {
    let selections = self.parts.map(\.selection)
    let members = try self.look()
    guard members.isEmpty else { return members }
    // Whoever saw nobody has forgotten the sessions and groups in which they were.
    for (index, selection) in selections.enumerated() { self.parts[index].selection = selection }
    return try self.look()
  }

  private func look() throws(ProcessError) -> [ProcessStatus] {
    var processes = try self.processTable()
    if !self.exempt.isEmpty { processes.removeAll { self.exempt.contains($0.identity) } }
    var cookies: [ProcessIdentifier: ByteString?] = [:]
    var seen: Set<ProcessIdentity> = []
    var members: [ProcessStatus] = []
    for index in self.parts.indices {
      let standing = try self.parts[index].standing?() ?? .goesOn
      if case .over = standing { continue }
      let selected = try self.parts[index].selection.select(
        from: processes, cgroups: try self.cgroupMembers(of: self.parts[index])
      ) { (pid) throws(ProcessError) in
        if let known = cookies[pid] { return known }
        let cookie = try self.kernel.cookie(of: pid)
        cookies.updateValue(cookie, forKey: pid)
        return cookie
      }
      if case .unknown(let why) = standing, !selected.isEmpty { throw why }
      for member in selected where seen.insert(member.identity).inserted {
        members.append(member)
        self.note(member, part: index)
      }
    }
    // First, because who they are is known by a parent that lives.
    return try self.unseen(below: members, among: processes) + members
  }

  /// Children of members whom /proc does not list (hidepid, proc(5)). Once found they are members until
  /// they have ended: who has lost the parent is found no more.
  private func unseen(
    below members: [ProcessStatus], among processes: [ProcessStatus]
  ) throws(ProcessError) -> [ProcessStatus] {
    guard try self.kernel.hidesProcesses() else { return [] }
    var found: [ProcessIdentity: ProcessStatus] = [:]
    let listed = Set(processes.map(\.processIdentifier))
    for member in members {
      for child in try self.kernel.children(of: member.processIdentifier) where !listed.contains(child) {
        guard
          let status = try self.kernel.status(of: child, listedBelow: member.processIdentifier),
          status.state == .unseen, let place = self.places[member.identity],
          self.parts[place.part].selection.reaches(status, from: member),
          !self.exempt.contains(where: { $0.processIdentifier == child })
        else { continue }
        found[status.identity] = status
        guard self.places[status.identity] == nil else { continue }
        self.places[status.identity] = place
        self.reasons[status.identity] = .child(of: member.processIdentifier)
        self.everyone.append((status, place))
      }
    }
    for (identity, status) in self.unseen where found[identity] == nil {
      if self.kernel.exists(identity.processIdentifier) { found[identity] = status }
    }
    self.unseen = found
    return found.values.sorted { $0.processIdentifier < $1.processIdentifier }
  }

  private func cgroupMembers(of part: Part) throws(ProcessError) -> [ProcessIdentifier: Int] {
    var members: [ProcessIdentifier: Int] = [:]
    for (root, cgroup) in part.cgroups {
      for pid in try cgroup.members() { members[pid] = root }
    }
    return members
  }

  private func note(_ member: ProcessStatus, part: Int) {
    guard let membership = self.parts[part].selection.membership(of: member.identity) else { return }
    let place = Place(part: part, root: membership.root)
    if self.parts[part].selection.roots[membership.root].isSupervised {
      self.supervised.insert(member.identity)
    }
    guard self.places[member.identity] == nil else { return }
    self.places[member.identity] = place
    self.reasons[member.identity] = membership.reason
    self.everyone.append((member, place))
  }

  /// Why the process belongs, or belonged, to what is to be ended; nil if it does not.
  package func reason(for process: ProcessIdentity) -> StopSelection.Reason? { self.reasons[process] }

  /// Of which root the process is.
  package func place(of process: ProcessIdentity) -> Place? { self.places[process] }

  /// Why the stop must not happen: it would end us, an ancestor of ours, or
  /// process 1. Nil if it may.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be known.
  package func objection() throws(ProcessError) -> String? {
    let protected = try self.kernel.ancestry()
    for member in try self.members() {
      let pid = member.processIdentifier
      guard pid.value == 1 || protected.contains(member.identity) else { continue }
      let reason =
        pid.value == 1
        ? "it is process 1"
        : pid == self.kernel.selfIdentifier ? "it is this very process" : "it started this process"
      return "would end pid \(pid) (\(member.name.printable)): \(reason)"
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
        self.send(signal, to: self.addressees(of: signal, among: members))
      },
      urgently: { [self] body in self.kernel.urgently(body) })
    let termination = Termination(scheduler: self.loop, escalation: escalation, target: target) {
      [self] result in
      self.unwatchAll()
      completion(result)
    }
    self.termination = termination
    termination.start()
  }

  /// Goes straight to KILL.
  package func skipToKill() { self.termination?.skipToKill() }

  private func send(_ signal: Signal, to members: [ProcessStatus]) -> [(ProcessStatus, ProcessError)] {
    if signal == .kill { self.killCgroups(of: members) }
    for member in members {
      if let place = self.places[member.identity] { self.lastSignals[place] = signal }
    }
    let refused = self.kernel.send(signal, toAll: members.filter { $0.state != .unseen })
    return self.sendToUnseen(signal, members) + refused
  }

  /// By the descriptor that was opened while its parent lived: with that gone, nothing else tells
  /// whose the number is.
  private func sendToUnseen(
    _ signal: Signal, _ members: [ProcessStatus]
  ) -> [(ProcessStatus, ProcessError)] {
    var refused: [(ProcessStatus, ProcessError)] = []
    for member in members where member.state == .unseen {
      guard let descriptor = self.watched[member.identity] else { continue }
      for each in signal.needsContinue ? [signal, .continue] : [signal]
      where cprocctl_pidfd_send_signal(descriptor.rawValue, each.rawValue, 0) != 0 && errno != ESRCH {
        let error = Errno(rawValue: errno)
        refused.append(
          (
            member,
            ProcessError(
              .signal, doing: "send \(each)", underlyingError: error,
              processIdentifier: member.processIdentifier)
          ))
      }
    }
    return refused
  }

  /// What is forked meanwhile dies too. What cannot be killed like that gets the signal one by one.
  private func killCgroups(of members: [ProcessStatus]) {
    for place in Set(members.compactMap { self.places[$0.identity] }) {
      try? self.parts[place.part].cgroups[place.root]?.kill()
    }
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
      // It is the one that was found only if it was still there when the descriptor was.
      if member.state == .unseen,
        (try? self.kernel.children(of: member.parent).contains(member.processIdentifier)) != true
      {
        close(raw)
        continue
      }
      do throws(ProcessError) {
        try self.loop.watch(descriptor, for: .readable) { [self] _ in
          self.unwatch(identity)
          self.unseen[identity] = nil
          self.lookSoon()
        }
        self.watched[identity] = descriptor
      } catch {
        close(raw)
      }
    }
  }

  /// Once for all that end at the same time.
  private func lookSoon() {
    guard !self.willLook else { return }
    self.willLook = true
    _ = self.loop.schedule(at: self.loop.now) { [weak self] in
      self?.willLook = false
      self?.termination?.membersChanged()
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
