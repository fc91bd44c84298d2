internal import ProcCtl
internal import Supervision
internal import SystemPackage

/// A command in a pid namespace. The namespace's first process is a guard of its own,
/// because signals it has no handler for do not reach a first process, and a program
/// that is run as one does not know that (pid_namespaces(7)).
final class NamespacedSpawn {
  private let channel: GuardChannel
  private let namespace: ProcessNamespace
  private var inner: ProcessIdentity?
  private var told: (status: TerminationStatus, leftovers: Int)?
  private var lastSignal: Signal?
  /// Why the command could not be started; nil if it was.
  private(set) var failure: String?
  /// How much longer than the guard inside the one outside waits: it is there for the case that
  /// the one inside fails.
  private static let extraGrace = Duration.seconds(1)
  /// Called once, when the command runs, with the guard's identity: the command's own number
  /// means nothing outside.
  var whenStarted: ((ProcessIdentity) -> Void)?

  init(on loop: EventLoop) throws(ProcessError) {
    self.namespace = try ProcessNamespace.available()
    self.channel = try GuardChannel(on: loop)
    self.channel.whenTold = { [unowned self] event in
      switch event {
      case .started: if let inner = self.inner { self.whenStarted?(inner) }
      case .commandEnded(let status, let leftovers): self.told = (status, leftovers)
      case .ended(let lastSignal): self.lastSignal = lastSignal
      case .failed(let message): self.failure = message
      }
    }
  }

  /// Puts the guard inside in the command's place. It conducts the stop, with the signal and the
  /// grace that were asked for, and is itself asked by TERM.
  func wrap(_ guarded: inout GuardedCommand) throws(ProcessError) {
    var launch = GuardLaunch(
      program: .path("/proc/self/exe"), namespace: self.namespace, leftovers: .ended)
    if let obstacle = launch.obstacle(to: guarded.command.setup) { throw obstacle }
    launch.options = [
      "--signal", ByteString("\(guarded.stopSignal.rawValue)"),
      "--grace", ByteString(guarded.grace.text),
    ]
    for (signal, mapped) in guarded.signalMap.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      let mapped = mapped.map { "\($0.rawValue)" } ?? ""
      launch.options += ["--map-signal", ByteString("\(signal.rawValue):\(mapped)")]
    }
    guarded.command = try launch.command(guarded.command, channel: self.channel)
    guarded.stopSignal = .terminate
    let dropsTerminate = guarded.signalMap[.terminate] == .some(nil)
    guarded.signalMap = [.terminate: dropsTerminate ? nil : .terminate]
    guarded.grace += NamespacedSpawn.extraGrace
  }

  func wasSpawned(_ identity: ProcessIdentity) {
    self.inner = identity
    self.channel.guardWasSpawned()
  }

  /// How the command itself ended and how many it left; nil if the guard was killed before it could tell.
  var end: (status: TerminationStatus, leftovers: Int)? {
    self.channel.drain()
    return self.told
  }

  /// What the guard inside knows better than the one outside.
  func complete(_ report: inout GuardReport) {
    guard let end = self.end else { return }
    report.status = end.status
    report.leftovers = end.leftovers
    if let lastSignal = self.lastSignal { report.lastSignal = lastSignal }
  }
}
