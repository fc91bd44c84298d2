internal import CProcCtl
internal import FoundationEssentials
internal import Glibc
internal import Logging
internal import ProcCtl
internal import SystemPackage
internal import SystemdNotify

/// The ways from outside to a master: its health endpoint and its control socket. They are open from before
/// the first worker is started until after the last cleanup has ended.
///
/// Confined to the loop's thread.
final class MasterDoors {
  private let configuration: MasterConfiguration
  private let loop: EventLoop
  private let logger: Logger
  private var healthSocket: ListeningSocket?
  private var controlSocket: ListeningSocket?
  private var health: HealthEndpoint?
  private var control: ControlEndpoint?

  /// Listens where the configuration says so, with the rights of whoever starts the master.
  ///
  /// - Throws: `ProcessError`, in one line, naming the key.
  init(_ configuration: MasterConfiguration, loop: EventLoop, logger: Logger) throws(ProcessError) {
    self.configuration = configuration
    self.loop = loop
    self.logger = logger
    if let health = configuration.health {
      self.healthSocket = try Self.open(health.socket, mode: 0o666, key: "health", configuration)
    }
    if let control = configuration.control {
      self.controlSocket = try Self.open(
        .unix(path: control.string), mode: 0o600, key: "control", configuration)
    }
  }

  deinit { self.close() }

  private static func open(
    _ address: SocketAddress, mode: UInt32, key: String, _ configuration: MasterConfiguration
  ) throws(ProcessError) -> ListeningSocket {
    do throws(ProcessError) {
      // Whoever the master becomes; whether that can be is said elsewhere.
      let user = try? configuration.user.map {
        try ChildSetup.Credentials(user: $0, group: configuration.group)
      }
      return try ListeningSocket.open(address, mode: mode, owner: user.map { ($0.user, $0.group) })
    } catch {
      throw ProcessError(
        error.code, doing: "[master] \(key): \(error.operation)", underlyingError: error.underlyingError)
    }
  }

  /// Begins to answer.
  ///
  /// - Returns: Who wants to know what happens.
  func open(to master: MasterDesk) -> (any MasterObserver)? {
    if let socket = self.healthSocket {
      let health = HealthEndpoint(socket, on: self.loop) { [unowned master] in master.answer($0) }
      self.attempt("health endpoint") { () throws(ProcessError) in try health.start() }
      self.health = health
      self.healthSocket = nil
    }
    if self.controlSocket == nil, self.configuration.control == nil {
      // Nobody has asked for it: that it cannot be is no reason not to start.
      self.attempt("control socket") { () throws(ProcessError) in
        let path = try ControlAddress.own(self.configuration.file)
        self.controlSocket = try ListeningSocket.open(.unix(path: path.string), mode: 0o600)
      }
    }
    guard let socket = self.controlSocket else { return nil }
    let control = ControlEndpoint(socket, on: self.loop, master: master, user: geteuid())
    self.attempt("control socket") { () throws(ProcessError) in try control.start() }
    self.control = control
    self.controlSocket = nil
    return control
  }

  private func attempt(_ what: String, _ body: () throws(ProcessError) -> Void) {
    do throws(ProcessError) {
      try body()
    } catch {
      self.logger.warning("no \(what): \(error)")
    }
  }

  func close() {
    self.health?.close()
    self.control?.close()
    self.healthSocket?.close()
    self.controlSocket?.close()
    (self.health, self.control, self.healthSocket, self.controlSocket) = (nil, nil, nil, nil)
  }
}

/// Who answers for the master, whichever door the question comes through.
///
/// Confined to the loop's thread.
final class MasterDesk: ControlledMaster {
  private let master: Master
  private let context: SnapshotContext
  private let facts: MasterFigures
  private let logger: Logger

  init(_ master: Master, context: SnapshotContext, facts: MasterFigures, logger: Logger) {
    self.master = master
    self.context = context
    self.facts = facts
    self.logger = logger
  }

  var statusSnapshot: MasterStatusSnapshot {
    self.master.snapshot(self.context, clients: self.facts.clients)
  }

  func workerSnapshot(_ name: String) -> MasterStatusSnapshot.Worker? {
    self.master.snapshot(ofWorker: name)
  }

  func workerState(_ name: String) -> WorkerState? { self.master.workersByName[name]?.life.state }

  var stopReason: String? { self.master.phase == .running ? nil : self.master.stopReason }

  var phaseName: String { "\(self.master.phase)" }

  func command(_ command: WorkerCommand, worker: String) {
    self.logger.info("\(worker): \(command.rawValue) commanded", metadata: ["worker": "\(worker)"])
    switch command {
    case .start: self.master.start(worker: worker)
    case .stop: self.master.stop(worker: worker)
    case .restart: self.master.restart(worker: worker)
    }
  }

  func stopMaster(by peer: PeerCredentials) {
    self.master.stop(reason: "commanded by pid \(peer.pid)")
  }

  // MARK: Health

  func answer(_ page: HealthPage) -> HTTPResponse {
    switch page {
    case .alive:
      HTTPResponse(status: 200, headers: [.plainText], body: Array("\(self.master.phase)\n".utf8))
    case .ready:
      HTTPResponse(
        status: self.master.isReady ? 200 : 503, headers: [.json], body: self.readiness)
    case .metrics:
      HTTPResponse(
        status: 200, headers: [HTTPField("Content-Type", MetricsText.contentType)],
        body: Array(MetricsText(self.statusSnapshot, figures: self.facts.figures).text.utf8))
    }
  }

  private var readiness: [UInt8] {
    let missing = self.master.workers.lazy.filter { $0.life.state != .ready }
      .map { Unreadiness.Worker(name: $0.definition.name, state: "\($0.life.state)", trouble: $0.trouble) }
    var readiness = Unreadiness(
      phase: self.phaseName, reason: self.stopReason, ready: self.master.readyCount,
      of: self.master.workers.count, missing: missing)
    readiness.ready = self.master.isReady
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array((try? encoder.encode(readiness)) ?? Data()) + [UInt8(ascii: "\n")]
  }
}
