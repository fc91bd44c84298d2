/// Works out which processes a stop is about, from one look at the process table.
package struct StopSelection: Sendable {
  /// Why a process is one of them.
  package enum Reason: Hashable, Sendable, CustomStringConvertible {
    case target
    case child(of: ProcessIdentifier)
    case session(ProcessIdentifier)
    case group(ProcessIdentifier)
    /// The environment it started with.
    case cookie
    case cgroup

    package var description: String {
      switch self {
      case .target: "target"
      case .child(let parent): "child of \(parent)"
      case .session(let session): "session \(session)"
      case .group(let group): "group \(group)"
      case .cookie: "cookie"
      case .cgroup: "cgroup"
      }
    }
  }

  /// Whose a process is, and why.
  package struct Membership: Sendable, Equatable {
    /// The index of its root.
    package var root: Int
    package var reason: Reason
  }

  /// Where the following begins.
  package struct Root: Sendable {
    /// A process that runs.
    package var target: ProcessStatus?
    /// The number of a process that may be gone, whose session is believed to be its own still if
    /// somebody in it has the cookie, or is in the cgroup.
    package var leader: ProcessIdentifier?
    package var mark: AdoptionMark?
    /// Whether the target ends what is below it when asked to stop.
    package var isSupervised: Bool

    package init(
      target: ProcessStatus? = nil, leader: ProcessIdentifier? = nil, mark: AdoptionMark? = nil,
      isSupervised: Bool = false
    ) {
      self.target = target
      self.leader = leader
      self.mark = mark
      self.isSupervised = isSupervised
    }
  }

  /// How an orphan that a subreaper adopted is recognised: by the cookie in its environment.
  package struct AdoptionMark: Sendable {
    /// Whose children are looked at; nil for every process.
    package var subreaper: ProcessIdentifier?
    package var cookie: ByteString

    package init(subreaper: ProcessIdentifier?, cookie: ByteString) {
      self.subreaper = subreaper
      self.cookie = cookie
    }
  }

  package let scope: StopScope
  package let roots: [Root]
  /// Once selected, always selected: an orphan has lost what connected it.
  private var known: [ProcessIdentity: Membership] = [:]
  /// Sessions and groups that are ours because a member leads or led them.
  private var led: [ProcessIdentifier: Int] = [:]
  private var hasLooked = false
  /// Those who had the number of such a group at the first look and were not in it: it can be left.
  private var leadersOutside: Set<ProcessIdentity> = []
  private var marks: [ByteString: (root: Int, subreaper: ProcessIdentifier?)] = [:]
  private var formerLeaders: [ProcessIdentifier: Int] = [:]

  /// What is left of a process that somebody else has reaped. Its number may be
  /// an innocent's by now, so only the cookie counts, in every process there is.
  package init(leftBy cookie: ByteString) {
    self.init(roots: [Root(mark: AdoptionMark(subreaper: nil, cookie: cookie))])
  }

  package init(target: ProcessStatus, scope: StopScope, mark: AdoptionMark? = nil) {
    self.init(roots: [Root(target: target, mark: mark)], scope: scope)
  }

  package init(roots: [Root], scope: StopScope = .tree) {
    self.scope = scope
    self.roots = roots
    for (index, root) in roots.enumerated() {
      if let target = root.target {
        self.known[target.identity] = Membership(root: index, reason: .target)
        switch scope {
        case .group: self.led[target.processGroup] = index
        case .session: self.led[target.session] = index
        case .tree: break
        }
      }
      if let mark = root.mark { self.marks[mark.cookie] = (index, mark.subreaper) }
      if let leader = root.leader { self.formerLeaders[leader] = index }
    }
  }

  /// Whose the process is, and why, if the last look selected it.
  package func membership(of process: ProcessIdentity) -> Membership? { self.known[process] }

  /// Whether a child of one who is selected is selected, too.
  package func reaches(_ child: ProcessStatus, from parent: ProcessStatus) -> Bool {
    switch self.scope {
    case .group: child.processGroup == parent.processGroup
    case .session: child.session == parent.session
    case .tree: true
    }
  }

  /// Everyone selected who still runs.
  ///
  /// - Parameters:
  ///   - cgroups: Who is in the cgroup of which root.
  ///   - cookie: Reads ``attributionCookieName`` from a process's environment.
  /// - Throws: What the cookie's reader throws; who is known stays known then.
  package mutating func select<Failure>(
    from processes: [ProcessStatus], cgroups: [ProcessIdentifier: Int] = [:],
    cookie: (ProcessIdentifier) throws(Failure) -> ByteString?
  ) throws(Failure) -> [ProcessStatus] {
    var selected: [ProcessIdentifier: Membership] = [:]
    for process in processes {
      if let membership = self.known[process.identity] { selected[process.processIdentifier] = membership }
    }
    self.forgetReused(processes)
    switch self.scope {
    case .group:
      self.select(from: processes, into: &selected) { ($0.processGroup, .group($0.processGroup)) }
    case .session:
      self.select(from: processes, into: &selected) { ($0.session, .session($0.session)) }
    case .tree:
      try self.selectMarked(processes, cgroups: cgroups, cookie: cookie, into: &selected)
      self.follow(processes, into: &selected)
    }
    self.hasLooked = true
    self.known = [:]
    var members: [ProcessStatus] = []
    for process in processes {
      guard let membership = selected[process.processIdentifier] else { continue }
      self.known[process.identity] = membership
      if !process.isDead { members.append(process) }
    }
    return members
  }

  private func select(
    from processes: [ProcessStatus], into selected: inout [ProcessIdentifier: Membership],
    by number: (ProcessStatus) -> (ProcessIdentifier, Reason)
  ) {
    for process in processes where selected[process.processIdentifier] == nil {
      let (leader, reason) = number(process)
      if let root = self.led[leader] {
        selected[process.processIdentifier] = Membership(root: root, reason: reason)
      }
    }
  }

  /// Those whom a cgroup or a cookie connects, and nothing else need.
  private mutating func selectMarked<Failure>(
    _ processes: [ProcessStatus], cgroups: [ProcessIdentifier: Int],
    cookie: (ProcessIdentifier) throws(Failure) -> ByteString?,
    into selected: inout [ProcessIdentifier: Membership]
  ) throws(Failure) {
    guard !self.marks.isEmpty || !cgroups.isEmpty else { return }
    let subreapers = Set(self.marks.values.map(\.subreaper))
    let readsAll = subreapers.contains(nil)
    for process in processes where !process.isDead {
      let pid = process.processIdentifier
      if selected[pid] == nil {
        if let root = cgroups[pid] {
          selected[pid] = Membership(root: root, reason: .cgroup)
        } else if readsAll || subreapers.contains(process.parent), let value = try cookie(pid),
          let mark = self.marks[value], mark.subreaper == nil || mark.subreaper == process.parent
        {
          selected[pid] = Membership(root: mark.root, reason: .cookie)
        }
      }
      // A number is nobody else's while it is a session's, and whoever is one of the leader's
      // descendants is in no session from before it.
      if let root = self.formerLeaders[process.session], selected[pid]?.root == root {
        self.led[process.session] = root
      }
    }
  }

  /// Until nobody is added: children of members, and whoever is in a session or
  /// group that a member leads or has led.
  private mutating func follow(
    _ processes: [ProcessStatus], into selected: inout [ProcessIdentifier: Membership]
  ) {
    for process in processes {
      if let membership = selected[process.processIdentifier] { self.noteLeader(process, membership.root) }
    }
    var grew = true
    while grew {
      grew = false
      for process in processes where selected[process.processIdentifier] == nil {
        let membership: Membership
        if let parent = selected[process.parent] {
          membership = Membership(root: parent.root, reason: .child(of: process.parent))
        } else if let root = self.led[process.session] {
          membership = Membership(root: root, reason: .session(process.session))
        } else if let root = self.led[process.processGroup] {
          membership = Membership(root: root, reason: .group(process.processGroup))
        } else {
          continue
        }
        selected[process.processIdentifier] = membership
        self.noteLeader(process, membership.root)
        grew = true
      }
    }
  }

  private mutating func noteLeader(_ process: ProcessStatus, _ root: Int) {
    let pid = process.processIdentifier
    if process.session == pid || process.processGroup == pid { self.led[pid] = root }
  }

  /// The number of a session or group is nobody else's while one process is in
  /// it. With nobody in it, or led by somebody who came later, it is over.
  private mutating func forgetReused(_ processes: [ProcessStatus]) {
    guard !self.led.isEmpty else { return }
    var inUse: Set<ProcessIdentifier> = []
    var reused: Set<ProcessIdentifier> = []
    for process in processes {
      inUse.insert(process.session)
      inUse.insert(process.processGroup)
      guard self.led[process.processIdentifier] != nil, self.known[process.identity] == nil else { continue }
      if !self.hasLooked {
        self.leadersOutside.insert(process.identity)
      } else if !self.leadersOutside.contains(process.identity) {
        reused.insert(process.processIdentifier)
      }
    }
    self.led = self.led.filter { inUse.contains($0.key) && !reused.contains($0.key) }
  }
}
