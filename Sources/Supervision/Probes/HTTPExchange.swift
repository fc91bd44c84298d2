internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// One HTTP/1.1 request and its response, over a connection of its own, with
/// one deadline for all of it.
///
/// The connection is closed from our side as soon as the response is complete.
/// Who closes first keeps the TIME_WAIT on its own port: ours is a port the
/// kernel chose, the worker's is the one its successor wants. So the request
/// says keep-alive, and no second one follows. Where bytes are left unread, or
/// an exchange is given up, close(2) sends a reset and nobody keeps anything.
///
/// Confined to the loop's thread. The completion is called exactly once, never
/// from within ``start()`` or ``cancel()``, and no descriptor outlives it.
package final class HTTPExchange {
  package typealias Outcome = Result<HTTPResponse, HTTPFailure>

  // A fast server must not keep the loop from its other work.
  private static let readsPerWakeUp = 8
  private static let chunkSize = 16 * 1024

  private let loop: EventLoop
  private let address: SocketAddress
  private let request: HTTPRequest
  private let deadline: MonotonicInstant
  private let limits: HTTPLimits
  private let objection: ((FileDescriptor) -> String?)?
  /// What has come of a response that did not come to its end, with the body as far as it came.
  package private(set) var receivedHead: HTTPResponse?
  private let completion: DeferredCompletion<Outcome>
  private var attempt: ConnectionAttempt?
  private var descriptor: FileDescriptor?
  private var codec: HTTPClientCodec?
  private var unsent: ArraySlice<UInt8> = []
  private var timer: TimerIdentifier?
  private var started = false

  /// - Parameter objection: Looks at the connection before anything is sent; why this is not whom to ask.
  package init(
    on loop: EventLoop, to address: SocketAddress, _ request: HTTPRequest,
    deadline: MonotonicInstant, limits: HTTPLimits = HTTPLimits(),
    objection: ((FileDescriptor) -> String?)? = nil,
    completion: @escaping (Outcome) -> Void
  ) {
    self.loop = loop
    self.address = address
    self.request = request
    self.deadline = deadline
    self.limits = limits
    self.objection = objection
    self.completion = DeferredCompletion(on: loop, cancelled: .failure(.cancelled), completion)
  }

  /// Begins; does nothing the second time.
  package func start() {
    guard !self.started else { return }
    self.started = true
    do {
      let codec = try HTTPClientCodec(self.request, limits: self.limits)
      self.unsent = codec.request[...]
      self.codec = codec
    } catch {
      return self.settle(.failure(error))
    }
    let attempt = ConnectionAttempt(on: self.loop, to: self.address, deadline: self.deadline) { outcome in
      self.connectionEnded(outcome)
    }
    self.attempt = attempt
    attempt.start()
  }

  /// Gives up: the completion gets `.cancelled`, unless it has been called.
  package func cancel() {
    self.started = true
    self.settle(.failure(.cancelled))
  }

  /// Our end of the connection, from connect(2) on; nil while and after there is none.
  package var localAddress: SocketAddress? {
    self.descriptor.flatMap { SocketEndpoints.localAddress(of: $0) } ?? self.attempt?.localAddress
  }

  private func connectionEnded(_ outcome: ConnectionAttempt.Outcome) {
    self.attempt = nil
    switch outcome {
    case .connected(let descriptor):
      // Cancelled while the connection was on its way here.
      guard !self.completion.isSettled else {
        close(descriptor.rawValue)
        return
      }
      self.descriptor = descriptor
      if let objection = self.objection?(descriptor) { return self.settle(.failure(.wrongPeer(objection))) }
      do {
        try self.loop.watch(descriptor, for: [.readable, .writable]) { _ in self.ready() }
      } catch {
        return self.settle(.failure(.failed(error.underlyingError ?? .ioError)))
      }
      self.timer = self.loop.schedule(at: self.deadline) { self.timedOut() }
    case .refused: self.settle(.failure(.refused))
    case .timedOut: self.settle(.failure(.timedOut(.connecting)))
    case .cancelled: self.settle(.failure(.cancelled))
    case .failed(let error): self.settle(.failure(.failed(error)))
    }
  }

  private func timedOut() {
    let stage: HTTPStage = self.codec?.hasReceived == true ? .receiving : .waiting
    self.settle(.failure(.timedOut(stage)))
  }

  private func ready() {
    if !self.unsent.isEmpty { self.send() }
    if self.descriptor != nil { self.receive() }
  }

  private func send() {
    guard let descriptor = self.descriptor else { return }
    while !self.unsent.isEmpty {
      let count = self.unsent.withUnsafeBytes {
        Glibc.send(descriptor.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        self.unsent = self.unsent.dropFirst(count)
        continue
      }
      switch Errno(rawValue: errno) {
      case .interrupted: continue
      case .resourceTemporarilyUnavailable: return
      case .brokenPipe, .connectionReset:
        // The server has stopped listening to us, which does not mean that it
        // has not answered: what is there to read decides.
        self.unsent = []
      case let error: return self.settle(.failure(.failed(error)))
      }
    }
    // From here on only the response can wake us.
    do {
      try self.loop.rewatch(descriptor, for: .readable)
    } catch {
      self.settle(.failure(.failed(error.underlyingError ?? .ioError)))
    }
  }

  private func receive() {
    guard let descriptor = self.descriptor, let codec = self.codec else { return }
    var chunk = [UInt8](repeating: 0, count: Self.chunkSize)
    for _ in 0..<Self.readsPerWakeUp {
      let count = recv(descriptor.rawValue, &chunk, chunk.count, 0)
      if count < 0 {
        switch Errno(rawValue: errno) {
        case .interrupted: continue
        case .resourceTemporarilyUnavailable: return
        case .connectionReset, .brokenPipe: return self.settle(.failure(.closedEarly))
        case let error: return self.settle(.failure(.failed(error)))
        }
      }
      do {
        if count == 0 { return self.settle(.success(try codec.receiveEnd())) }
        if let response = try codec.receive(chunk[..<count]) { return self.settle(.success(response)) }
      } catch {
        return self.settle(.failure(error))
      }
    }
  }

  private func settle(_ outcome: Outcome) {
    if let timer = self.timer { self.loop.cancel(timer) }
    self.timer = nil
    if let descriptor = self.descriptor {
      self.loop.unwatch(descriptor)
      close(descriptor.rawValue)
    }
    self.descriptor = nil
    if let codec = self.codec { self.receivedHead = codec.response }
    self.codec?.close()
    self.codec = nil
    self.unsent = []
    // Ends the connection attempt, if there is one still; its completion finds us settled.
    self.attempt?.cancel()
    self.completion.settle(outcome)
  }
}
