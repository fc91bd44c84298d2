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
  /// How the command itself ended and how many it left; nil until the guard has told, or if it was
  /// killed before it could.
  private var told: (TerminationStatus, Int)?
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
      // It has said so on standard error, and its status says it too.
      case .failed: break
      }
    }
  }

  func command(_ guarded: GuardedCommand) throws(ProcessError) -> Command {
    var launch = GuardLaunch(
      program: .path("/proc/self/exe"), namespace: self.namespace, leftovers: .ended)
    if let obstacle = launch.obstacle(to: guarded.command.setup) { throw obstacle }
    launch.options = [
      "--signal", ByteString("\(guarded.stopSignal.rawValue)"),
      "--grace", ByteString(guarded.grace.text),
    ]
    return launch.command(guarded.command, channel: self.channel)
  }

  func wasSpawned(_ identity: ProcessIdentity) {
    self.inner = identity
    self.channel.guardWasSpawned()
  }

  var end: (TerminationStatus, Int)? {
    self.channel.drain()
    return self.told
  }
}
