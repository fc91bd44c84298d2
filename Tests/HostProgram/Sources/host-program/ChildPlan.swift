/// The libraries of this program that start processes, unknown to each other.
enum Library: String, CaseIterable, Sendable {
  case foundation = "Foundation.Process"
  case subprocess = "swift-subprocess"
  case procctl = "ProcCtl"
}

/// One child: what it does, what it leaves behind, and with which status it exits.
struct ChildPlan: Sendable {
  /// How its grandchild loses its parent.
  enum Orphan: CaseIterable, Sendable {
    /// Double fork.
    case sameSession
    /// Double fork, and the orphan leads a session of its own.
    case ownSession
    /// Its session's leader has ended and is reaped.
    case sessionWithoutLeader
  }

  let library: Library
  let index: Int
  /// Different for every child, and never 0, which is what a lost status looks like.
  let status: Int32
  let orphan: Orphan
  /// Milliseconds before it leaves its orphan and exits, so that looks for
  /// orphans meet children of every age.
  let delay: Int
  /// Its orphan outlives it by several graces.
  let lingers: Bool
  /// Started by the main thread, whose children and the adopted orphans are in one list.
  let fromMainThread: Bool
  /// Started by an instance of ChildProcesses that is not the one that reaps orphans.
  let fromOtherInstance: Bool

  var name: String { "\(self.library.rawValue) \(self.index)" }

  /// The orphan lives until its standard input ends, so that nothing here
  /// depends on how fast anybody looks.
  var script: String {
    let orphan =
      switch self.orphan {
      case .sameSession: "( cat <&3 >/dev/null & echo orphan $! )"
      case .ownSession: "( setsid cat <&3 >/dev/null & echo orphan $! )"
      case .sessionWithoutLeader: "setsid sh -c 'cat <&3 >/dev/null & echo orphan $!'"
      }
    return """
      exec 3<&0
      echo child $$
      sleep \(Double(self.delay) / 1000)
      \(orphan)
      exit \(self.status)
      """
  }

  /// So many children of each library, in the order they are started.
  static func all(perLibrary count: Int) -> [ChildPlan] {
    (0..<count).flatMap { index in
      Library.allCases.enumerated().map { position, library in
        let lingers = index % 8 == 7
        return ChildPlan(
          library: library, index: index,
          status: Int32(1 + position * count + index),
          orphan: Orphan.allCases[(index + position) % Orphan.allCases.count],
          delay: lingers ? 0 : index % 12 * 200, lingers: lingers,
          fromMainThread: library == .foundation && index % 2 == 0,
          fromOtherInstance: library == .procctl && index % 2 == 1)
      }
    }
  }
}

/// How a child ended, as its library tells it.
enum Answer: Hashable, Sendable, CustomStringConvertible {
  case exited(Int32)
  case signaled(Int32)
  case failed(String)

  var description: String {
    switch self {
    case .exited(let status): "exited with \(status)"
    case .signaled(let signal): "ended by signal \(signal)"
    case .failed(let reason): "failed: \(reason)"
    }
  }
}
