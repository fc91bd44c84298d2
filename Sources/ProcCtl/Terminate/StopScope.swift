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
  /// Once selected, always selected: an orphan has lost what connected it.
  private var known: Set<ProcessIdentity>
  private let group: ProcessIdentifier
  private let session: ProcessIdentifier
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
    self.group = ProcessIdentifier(0)
    self.session = ProcessIdentifier(0)
  }

  package init(target: ProcessStatus, scope: StopScope, mark: AdoptionMark? = nil) {
    self.scope = scope
    self.mark = mark
    self.known = [target.identity]
    self.group = target.processGroup
    self.session = target.session
  }

  /// Everyone selected who still runs.
  ///
  /// - Parameter cookie: Reads ``attributionCookieName`` from a process's environment.
  package mutating func select(
    from processes: [ProcessStatus], cookie: (ProcessIdentifier) -> ByteString?
  ) -> [ProcessStatus] {
    var selected: Set<ProcessIdentifier> = []
    for process in processes where self.known.contains(process.identity) {
      selected.insert(process.processIdentifier)
    }
    switch self.scope {
    case .group:
      for process in processes where process.processGroup == self.group {
        selected.insert(process.processIdentifier)
      }
    case .session:
      for process in processes where process.session == self.session {
        selected.insert(process.processIdentifier)
      }
    case .tree:
      if let mark = self.mark {
        for process in processes where !process.isDead {
          if let subreaper = mark.subreaper, process.parent != subreaper { continue }
          if !selected.contains(process.processIdentifier), cookie(process.processIdentifier) == mark.cookie {
            selected.insert(process.processIdentifier)
          }
        }
      }
      // Until nobody is added: children of members, and whoever is in a session
      // or group that a member leads.
      var grew = true
      while grew {
        grew = false
        for process in processes where !selected.contains(process.processIdentifier) {
          if selected.contains(process.parent) || selected.contains(process.session)
            || selected.contains(process.processGroup)
          {
            selected.insert(process.processIdentifier)
            grew = true
          }
        }
      }
    }
    let members = processes.filter { selected.contains($0.processIdentifier) }
    self.known = Set(members.map(\.identity))
    return members.filter { !$0.isDead }
  }
}
