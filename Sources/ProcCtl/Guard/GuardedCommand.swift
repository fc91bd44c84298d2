package import SystemPackage

/// One command and the terms on which it is run and ended.
package struct GuardedCommand: Sendable {
  /// Whether the command gets the terminal.
  package enum Foreground: Sendable {
    /// If standard input is a terminal and we are in its foreground.
    case automatic
    case always
    case never
  }

  /// Who ends what the command leaves behind when it ends.
  package enum Leftovers: Sendable {
    /// This guard: the stop signal, the grace, KILL.
    case ended
    /// Somebody else, who watches us: we only wait until nobody is left.
    case left
  }

  package var command: Command
  package var leftovers: Leftovers
  /// When the other end of this descriptor is closed, as it is when its owner
  /// dies in whatever way, everything is ended at once; nil for no such tie.
  package var lifeline: FileDescriptor?
  /// The command is stopped after this; nil for no limit.
  package var timeLimit: Duration?
  /// What a stop sends first.
  package var stopSignal: Signal
  /// From that signal to KILL.
  package var grace: Duration
  /// What to send instead of a signal we get; nil drops it.
  package var signalMap: [Signal: Signal?]
  package var foreground: Foreground
  /// A cgroup of its own for the command, where the machine lets us.
  package var usesCgroup: Bool

  package init(command: Command) {
    self.command = command
    self.leftovers = .ended
    self.lifeline = nil
    self.timeLimit = nil
    self.stopSignal = .terminate
    self.grace = .seconds(5)
    self.signalMap = [:]
    self.foreground = .automatic
    self.usesCgroup = false
  }
}

/// How a guarded command went.
package struct GuardReport: Sendable {
  /// How the command itself ended; nil if it is among the survivors.
  package var status: TerminationStatus?
  package var identity: ProcessIdentity
  /// The time limit ended it.
  package var timedOut: Bool
  /// Processes the command left behind when it ended, before they were stopped.
  package var leftovers: Int
  /// The last signal a stop needed; nil if none was.
  package var lastSignal: Signal?
  package var survivors: [Survivor]
  /// That nobody is left is the kernel's word (waitid(2) says ECHILD) and not only what /proc showed.
  package var isProven: Bool
  /// Why nobody can say whether somebody is left; nil if that is known.
  package var unverified: ProcessError?
  /// The command's cgroup, if it could not be removed.
  package var leftCgroup: FilePath?
  package var duration: Duration
}
