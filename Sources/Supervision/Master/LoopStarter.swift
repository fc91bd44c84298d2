internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage
internal import SystemdNotify

/// Prepares workers for their start: output, notify socket, cgroup, identity.
final class LoopStarter: WorkerStarter {
  private let plan: ContainmentPlan
  /// Where workers' output goes; nil to where ours goes.
  private let logs: WorkerLogs?
  private let directories: WorkerDirectories
  private let loop: EventLoop
  private var notifySockets: [String: NotifySocket] = [:]
  /// Told when a worker's process says READY=1: the worker's name and the sender.
  var whenNotified: ((String, Notification) -> Void)?

  init(plan: ContainmentPlan, logs: WorkerLogs?, directories: WorkerDirectories, loop: EventLoop) {
    self.plan = plan
    self.logs = logs
    self.directories = directories
    self.loop = loop
  }

  func command(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker {
    let directories = self.directories
    do throws(ProcessError) {
      var prepared = try self.prepared(definition, start: start)
      prepared.whenNotSpawned = { directories.ended(definition) }
      return prepared
    } catch {
      // A worker that never ran has no end with which they could go.
      directories.ended(definition)
      throw error
    }
  }

  private func prepared(_ definition: WorkerDefinition, start: Int) throws(ProcessError) -> PreparedWorker {
    let words = definition.arguments()
    guard let program = words.first else {
      throw ProcessError(.invalidArgument, doing: "the command of \(definition.name) is empty")
    }
    var command = Command(.name(ByteString(program)), arguments: words.dropFirst().map { ByteString($0) })
    for (name, value) in definition.variables() {
      command.environment = command.environment.setting(ByteString(name), to: ByteString(value))
    }
    if definition.ready == .notify {
      let socket = try self.notifySocket(of: definition.name)
      command.environment = command.environment.setting(
        "NOTIFY_SOCKET", to: ByteString(socket.environmentValue))
    }
    for (name, value) in try self.directories.make(for: definition, start: start + 1) {
      command.environment = command.environment.setting(ByteString(name), to: ByteString(value))
    }
    command.directory = definition.directory
    command.setup = try definition.childSetup()
    command.standardInput = .null

    var prepared = PreparedWorker(command: command)
    if let logs = self.logs {
      let log = try logs.open(worker: definition.name)
      prepared.command.standardOutput = .descriptor(log)
      prepared.command.standardError = .descriptor(log)
      prepared.afterSpawn = { close(log.rawValue) }
    }
    // Last: whatever fails after it would leave it behind.
    do throws(ProcessError) {
      try self.contain(&prepared, definition, start: start)
    } catch {
      prepared.afterSpawn()
      throw error
    }
    return prepared
  }

  private func contain(
    _ prepared: inout PreparedWorker, _ definition: WorkerDefinition, start: Int
  ) throws(ProcessError) {
    switch self.plan.containment(of: definition) {
    case .session:
      break
    case .cgroup(let parent):
      let cgroup = try Cgroup(name: "\(definition.name).\(start + 1)", under: parent)
      prepared.cgroup = cgroup
      prepared.command.setup.cgroupProcs = cgroup.procs
    case .guardian(let launch):
      if let obstacle = launch.obstacle(to: prepared.command.setup) { throw obstacle }
      // What can be known beforehand is an error of the start, not one told by the guard.
      if let obstacle = prepared.command.obstacle() { throw obstacle }
      let channel = try GuardChannel(on: self.loop)
      prepared.command = try launch.command(prepared.command, channel: channel)
      prepared.workerGuard = channel
      prepared.endsWithLeader = launch.namespace != nil
      let release = prepared.afterSpawn
      prepared.afterSpawn = {
        release()
        channel.guardWasSpawned()
      }
    }
  }

  /// Bound once per worker, before its first start: the first child is never faster than us.
  private func notifySocket(of name: String) throws(ProcessError) -> NotifySocket {
    if let socket = self.notifySockets[name] { return socket }
    let socket: NotifySocket
    do throws(NotificationError) {
      socket = try NotifySocket()
    } catch {
      throw ProcessError(.spawn, doing: "\(error)", underlyingError: error.underlyingError)
    }
    try self.loop.watch(socket.descriptor, for: .readable) { [unowned self, unowned socket] _ in
      for notification in (try? socket.receive()) ?? [] { self.whenNotified?(name, notification) }
    }
    self.notifySockets[name] = socket
    return socket
  }
}
