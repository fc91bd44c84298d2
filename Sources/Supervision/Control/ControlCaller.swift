internal import ProcCtl

/// One connection to the control socket, whose other end may command.
final class ControlCaller {
  private struct Info: Codable {
    var vendor = "procctl"
    var product = "procctl"
    var version: String
    var url = ""
    var interfaces = [ControlInterface.service, ControlInterface.name]
  }
  private struct Description: Codable { var description: String }
  private struct Status: Codable { var master: MasterStatusSnapshot }
  private struct Workers: Codable { var workers: [MasterStatusSnapshot.Worker] }
  private struct Nothing: Codable {}
  private struct Monitored: Codable {
    var master: MasterStatusSnapshot?
    var event: ControlEvent?
  }

  /// What a caller that takes no replies may leave lying before it is cut off.
  private static let longestBacklog = 4 << 20

  /// Kept until it is closed, as by ``RequestTurns``.
  private let connection: StreamConnection
  private unowned let master: any ControlledMaster
  private let peer: PeerCredentials
  private var framing = VarlinkFraming(limit: VarlinkMessage.longestCall)
  let turns: RequestTurns<[UInt8]>
  /// The call that is being carried out, and whether it wants an answer.
  private var wait: (value: WorkerWait, isOneway: Bool)? {
    didSet { self.turns.isHeld = self.wait != nil || self.monitors }
  }
  private var monitors = false {
    didSet { self.turns.isHeld = self.wait != nil || self.monitors }
  }

  init(
    _ connection: StreamConnection, loop: EventLoop, master: any ControlledMaster, peer: PeerCredentials
  ) {
    self.connection = connection
    self.master = master
    self.peer = peer
    self.turns = RequestTurns(connection, on: loop)
    self.turns.answer = { [unowned self] in self.answer($0) }
  }

  // MARK: The connection

  func received(_ bytes: [UInt8]) {
    let messages: [[UInt8]]
    do throws(VarlinkFraming.TooLong) {
      messages = try self.framing.receive(bytes)
    } catch {
      return self.connection.abort()
    }
    // Who listens to changes has said all it has to say.
    if self.monitors { return self.connection.abort() }
    self.turns.received(messages)
  }

  func closed() {
    self.turns.closed()
    self.wait = nil
  }

  private func answer(_ message: [UInt8]) {
    guard let (call, request) = ControlRequest.read(message) else { return self.connection.abort() }
    switch request {
    case .failure(let error): self.answer(call, VarlinkMessage.error(error))
    case .success(let request): self.carryOut(request, call)
    }
  }

  private func answer(_ call: VarlinkCall, _ reply: [UInt8]) {
    if call.oneway != true { self.connection.send(reply) }
  }

  // MARK: Calls

  private func carryOut(_ request: ControlRequest, _ call: VarlinkCall) {
    switch request {
    case .info:
      self.answer(call, VarlinkMessage.reply(Info(version: self.master.statusSnapshot.version)))
    case .description(let interface):
      self.answer(
        call,
        ControlInterface.description(of: interface).map {
          VarlinkMessage.reply(Description(description: $0))
        } ?? VarlinkMessage.error(.interfaceNotFound(interface)))
    case .status:
      self.answer(call, VarlinkMessage.reply(Status(master: self.master.statusSnapshot)))
    case .command(let command, let workers, let waits):
      self.command(command, workers, waits: waits, call)
    case .stopMaster:
      self.master.stopMaster(by: self.peer)
      self.answer(call, VarlinkMessage.reply(Nothing()))
    case .monitor:
      self.monitors = true
      // Whether the other side is still there shows only when it is read.
      self.connection.isReading = !self.turns.hasEnded
      self.send(Monitored(master: self.master.statusSnapshot))
    }
  }

  private func command(
    _ command: WorkerCommand, _ workers: [String], waits: Bool, _ call: VarlinkCall
  ) {
    if let reason = self.master.stopReason {
      return self.answer(call, VarlinkMessage.error(.stopping(reason)))
    }
    // All of them or none: half a command would have to be explained.
    if let unknown = workers.first(where: { self.master.workerState($0) == nil }) {
      return self.answer(call, VarlinkMessage.error(.noSuchWorker(unknown)))
    }
    for worker in workers { self.master.command(command, worker: worker) }
    var wait = WorkerWait(command, workers: workers)
    for worker in workers {
      if let state = self.master.workerState(worker) { wait.saw(worker, in: state) }
    }
    if wait.isOver || !waits { return self.answer(call, self.result(of: wait)) }
    self.wait = (wait, call.oneway == true)
  }

  private func result(of wait: WorkerWait) -> [UInt8] {
    VarlinkMessage.reply(Workers(workers: wait.workers.compactMap { self.master.workerSnapshot($0) }))
  }

  // MARK: What happens

  func saw(_ worker: String, in state: WorkerState) {
    guard var wait = self.wait else { return }
    wait.value.saw(worker, in: state)
    self.wait = wait
    if wait.value.isOver { self.endWait(with: self.result(of: wait.value)) }
  }

  func masterStops(_ reason: String) {
    if self.wait != nil { self.endWait(with: VarlinkMessage.error(.stopping(reason))) }
  }

  private func endWait(with reply: [UInt8]) {
    let isOneway = self.wait?.isOneway ?? true
    self.wait = nil
    if !isOneway { self.connection.send(reply) }
    self.turns.goOn()
  }

  func tell(_ event: ControlEvent) {
    if self.monitors { self.send(Monitored(event: event)) }
  }

  private func send(_ monitored: Monitored) {
    guard self.connection.backlog < Self.longestBacklog else { return self.connection.abort() }
    self.connection.send(VarlinkMessage.reply(monitored, continues: true))
  }
}
