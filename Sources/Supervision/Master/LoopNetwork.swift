internal import ProcCtl

/// The network as it is, on the event loop.
final class LoopNetwork: WorkerNetwork {
  let loop: EventLoop
  /// Requests to stop that are under way.
  var exchanges: [Int: HTTPExchange] = [:]
  var lastExchange = 0
  let sockets = ClientSockets()

  init(loop: EventLoop) {
    self.loop = loop
  }

  func verdict(onPort port: UInt16) -> PortVerdict {
    do throws(ProcessError) {
      return PortVerdict(try self.state(ofPort: port))
    } catch {
      return .unknown("\(error)")
    }
  }

  func end(_ processes: [ProcessIdentity], completion: @escaping (HolderEnd) -> Void) -> any HolderStop {
    do throws(ProcessError) {
      return try LoopHolderStop(processes, on: self.loop, completion: completion)
    } catch {
      let why = "\(error)"
      return CancellableTimer(
        self.loop.schedule(at: self.loop.now) { completion(HolderEnd(survivors: [why])) }, on: self.loop)
    }
  }

  /// What fails once may have been our own want of descriptors or memory, and no matter of the port.
  private func state(ofPort port: UInt16) throws(ProcessError) -> PortState {
    do throws(ProcessError) {
      return try PortCheck().state(of: port)
    } catch {
      return try PortCheck().state(of: port)
    }
  }

  func awaitReadiness(
    of definition: WorkerDefinition, members: @escaping () -> [ProcessIdentifier],
    whenReady: @escaping () -> Void
  ) -> any ReadinessSearch {
    let path: String?
    switch definition.ready {
    case .http(let given): path = given
    case .tcp: path = nil
    // The worker speaks first; there is nothing to ask.
    case .notify: return NothingUnderWay(missing: "none of its processes has sent READY=1")
    case .descriptor, .exec, .none: return NothingUnderWay(missing: nil)
    }
    guard let port = definition.port else { return NothingUnderWay(missing: nil) }
    let watch = ReadinessWatch(
      loop: self.loop, port: port, path: path, members: members, whenReady: whenReady)
    watch.start()
    return watch
  }
}

final class CancellableTimer: HolderStop {
  private let timer: TimerIdentifier
  private let loop: EventLoop

  init(_ timer: TimerIdentifier, on loop: EventLoop) {
    self.timer = timer
    self.loop = loop
  }

  func cancel() {
    self.loop.cancel(self.timer)
  }

  func skipToKill() {}
}

private final class NothingUnderWay: ReadinessSearch {
  private let missing: String?

  init(missing: String?) {
    self.missing = missing
  }

  func cancel() {}

  func missing(closely: Bool) -> String? { self.missing }
}

final class CancellableExchange: Cancellable {
  private let exchange: HTTPExchange

  init(_ exchange: HTTPExchange) {
    self.exchange = exchange
  }

  func cancel() {
    self.exchange.cancel()
  }
}
