internal import ProcCtl

/// How a master sees the clients of its workers, and ends their connections.
extension Master {
  package static func life(
    of definition: WorkerDefinition, timeouts: ShutdownTimeouts, seed: UInt64
  ) -> WorkerLife {
    WorkerLife(
      definition: definition, portTimeout: timeouts.ports, clientTimeout: timeouts.clients, seed: seed)
  }

  func watchClients(of worker: WorkerRecord, at instant: MonotonicInstant?) {
    self.clientWatch.whenDue = { [unowned self] in
      self.lookAtClients()
      self.drain()
    }
    self.clientWatch.watch(worker.index, at: instant)
  }

  /// Before something is decided about the worker: as things are, not as they were a second ago.
  func refreshClients(before worker: WorkerRecord) {
    if worker.life.watchesClients, self.clientWatch.isStale { self.lookAtClients() }
  }

  private func lookAtClients() {
    self.clientWatch.begin()
    defer { self.clientWatch.end() }
    let workers = self.clientWatch.watched.sorted().map { self.workers[$0] }.filter { worker in
      if !worker.life.watchesClients { self.clientWatch.forget(worker.index) }
      return worker.life.watchesClients
    }
    guard !workers.isEmpty else { return }
    self.sets.invalidate()
    let ports = workers.compactMap { self.clientPort(of: $0) }
    do throws(ProcessError) {
      let counts = try self.network.clients(on: ports)
      self.cannotSeeClients = false
      for worker in workers {
        self.post(worker, .clientsSeen(worker.definition.port.map { counts[$0, default: 0] }))
      }
    } catch {
      if !self.cannotSeeClients, let worker = workers.first {
        self.note(worker, "cannot see who is connected: \(error)", isTrouble: true)
      }
      self.cannotSeeClients = true
      for worker in workers { self.post(worker, .clientsSeen(nil)) }
    }
  }

  private func clientPort(of worker: WorkerRecord) -> ClientPort? {
    worker.definition.port.map { port in
      ClientPort(port: port) { [unowned self, unowned worker] in
        (try? self.members(of: worker, .recent)).map { Set($0.map(\.processIdentifier)) }
      }
    }
  }

  func disconnectClients(of worker: WorkerRecord) {
    guard let port = self.clientPort(of: worker) else { return }
    do throws(ProcessError) {
      self.sets.invalidate()
      let result = try self.network.disconnectClients(on: port)
      if let obstacle = result.obstacle {
        self.note(worker, "cannot disconnect \(Self.clients(result.left)): \(obstacle)", isTrouble: true)
      }
      self.post(
        worker,
        .clientsDisconnected(ended: result.ended, left: result.left, isPossible: result.obstacle == nil))
    } catch {
      self.note(worker, "cannot disconnect its clients: \(error)", isTrouble: true)
      self.post(worker, .clientsSeen(nil))
    }
  }

  func clientsChanged(_ count: Int, of worker: WorkerRecord) {
    if count == 0 {
      worker.hasNotedClients = false
    } else if !worker.hasNotedClients {
      worker.hasNotedClients = true
      self.note(worker, count == 1 ? "1 client is connected" : "\(count) clients are connected")
    }
    self.observer?.happened(.clientsChanged(worker: worker.definition.name, connected: count))
  }

  func clientsForced(_ count: Int, of worker: WorkerRecord) {
    self.observer?.happened(.clientsForced(worker: worker.definition.name, count))
    self.note(worker, "\(Self.clients(count)) disconnected by force", isTrouble: true)
  }

  static func clients(_ count: Int) -> String { count == 1 ? "1 client" : "\(count) clients" }
}
