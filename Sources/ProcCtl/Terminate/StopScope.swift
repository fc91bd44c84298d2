/// How far the end of a process reaches.
public enum StopScope: String, Sendable, CaseIterable {
  /// Its process group.
  case group
  /// Its session.
  case session
  /// It and everything below it, with the sessions and process groups those lead.
  case tree
}

/// Works out which processes a stop is about, from one look at the process table.
package struct StopSelection: Sendable {
  package let scope: StopScope
  /// Whether the target ends what is below it when asked to stop.
  package var isSupervised = false
  /// Once selected, always selected: an orphan has lost what connected it.
  private var known: Set<ProcessIdentity>
  /// Sessions and groups that are ours because a member leads or led them.
  private var led: Set<ProcessIdentifier>
  private var hasLooked = false
  private let mark: AdoptionMark?

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

  /// What is left of a process that somebody else has reaped. Its number may be
  /// an innocent's by now, so only the cookie counts, in every process there is.
  package init(leftBy cookie: ByteString) {
    self.scope = .tree
    self.mark = AdoptionMark(subreaper: nil, cookie: cookie)
    self.known = []
    self.led = []
  }

  package init(target: ProcessStatus, scope: StopScope, mark: AdoptionMark? = nil) {
    self.scope = scope
    self.mark = mark
    self.known = [target.identity]
    switch scope {
    case .group: self.led = [target.processGroup]
    case .session: self.led = [target.session]
    case .tree: self.led = []
    }
  }

  /// Everyone selected who still runs.
  ///
  /// - Parameter cookie: Reads ``attributionCookieName`` from a process's environment.
  package mutating func select<Failure>(
    from processes: [ProcessStatus], cookie: (ProcessIdentifier) throws(Failure) -> ByteString?
  ) throws(Failure) -> [ProcessStatus] {
    var selected: Set<ProcessIdentifier> = []
    for process in processes where self.known.contains(process.identity) {
      selected.insert(process.processIdentifier)
    }
    self.forgetReused(processes)
    switch self.scope {
    case .group:
      for process in processes where self.led.contains(process.processGroup) {
        selected.insert(process.processIdentifier)
      }
    case .session:
      for process in processes where self.led.contains(process.session) {
        selected.insert(process.processIdentifier)
      }
    case .tree:
      if let mark = self.mark {
        for process in processes where !process.isDead {
          if let subreaper = mark.subreaper, process.parent != subreaper { continue }
          if !selected.contains(process.processIdentifier),
            try cookie(process.processIdentifier) == mark.cookie
          {
            selected.insert(process.processIdentifier)
          }
        }
      }
      self.follow(processes, into: &selected)
    }
    self.hasLooked = true
    let members = processes.filter { selected.contains($0.processIdentifier) }
    self.known = Set(members.map(\.identity))
    return members.filter { !$0.isDead }
  }

  /// Until nobody is added: children of members, and whoever is in a session or
  /// group that a member leads or has led.
  private mutating func follow(_ processes: [ProcessStatus], into selected: inout Set<ProcessIdentifier>) {
    for process in processes where selected.contains(process.processIdentifier) { self.noteLeader(process) }
    var grew = true
    while grew {
      grew = false
      for process in processes where !selected.contains(process.processIdentifier) {
        if selected.contains(process.parent) || self.led.contains(process.session)
          || self.led.contains(process.processGroup)
        {
          selected.insert(process.processIdentifier)
          self.noteLeader(process)
          grew = true
        }
      }
    }
  }

  private mutating func noteLeader(_ process: ProcessStatus) {
    let pid = process.processIdentifier
    if process.session == pid || process.processGroup == pid { self.led.insert(pid) }
  }

  /// The number of a session or group is nobody else's while one process is in
  /// it. With nobody in it, or led by somebody we do not know, it is over.
  private mutating func forgetReused(_ processes: [ProcessStatus]) {
    var inUse: Set<ProcessIdentifier> = []
    var reused: Set<ProcessIdentifier> = []
    for process in processes {
      inUse.insert(process.session)
      inUse.insert(process.processGroup)
      if self.hasLooked, self.led.contains(process.processIdentifier), !self.known.contains(process.identity)
      {
        reused.insert(process.processIdentifier)
      }
    }
    self.led = self.led.intersection(inUse).subtracting(reused)
  }
}
