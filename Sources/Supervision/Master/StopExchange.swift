internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// How a worker is asked to stop, over TCP or a Unix socket.
extension LoopNetwork {
  /// How long a worker has to answer a request to stop; how long it then takes
  /// to stop is the step's business.
  private static let answerTimeout = Duration.seconds(5)
  /// More of an answer than this is not looked at.
  private static let replyLimit = 16 * 1024

  func send(
    _ request: StopRequest, toPort port: UInt16?, members: [ProcessIdentifier],
    completion: @escaping (StopAnswer) -> Void
  ) -> any Cancellable {
    let members = Set(members)
    if let socket = request.socket {
      return self.exchange(
        request, with: .unix(path: socket),
        objection: { UnixPeer.obstacle(of: $0, members: members) }, completion: completion)
    }
    guard let port, let listener = OwnListener.address(port: port, members: members) else {
      let timer = self.loop.schedule(at: self.loop.now) {
        completion(.refused(port.map { "it does not listen on port \($0)" } ?? "it has no port"))
      }
      return CancellableTimer(timer, on: self.loop)
    }
    return self.exchange(
      request, with: .tcp(listener, port: port), objection: nil, completion: completion)
  }

  private func exchange(
    _ request: StopRequest, with address: SocketAddress, objection: ((FileDescriptor) -> String?)?,
    completion: @escaping (StopAnswer) -> Void
  ) -> any Cancellable {
    self.lastExchange += 1
    let number = self.lastExchange
    let exchange = HTTPExchange(
      on: self.loop, to: address,
      HTTPRequest(method: request.method, path: request.path, host: Probe.host(of: address)),
      deadline: self.loop.now.advanced(by: LoopNetwork.answerTimeout),
      limits: HTTPLimits(body: LoopNetwork.replyLimit), objection: objection
    ) { [unowned self] outcome in
      let head = self.exchanges.removeValue(forKey: number)?.receivedHead
      if let answer = StopAnswer(outcome, head: head) { completion(answer) }
    }
    self.exchanges[number] = exchange
    exchange.start()
    return CancellableExchange(exchange)
  }

  /// The master's own ends of what is under way.
  private var ownEnds: [SocketAddress] { self.exchanges.values.compactMap(\.localAddress) }

  func clients(on ports: [ClientPort]) throws(ProcessError) -> [UInt16: Int] {
    try self.sockets.clients(on: ports, ours: self.ownEnds)
  }

  func disconnectClients(on port: ClientPort) throws(ProcessError) -> Disconnection {
    try self.sockets.disconnect(port, ours: self.ownEnds)
  }
}

extension StopAnswer {
  /// What the outcome of an exchange means; nil if it was called off.
  ///
  /// The status is the answer. A body that does not come, or not all of it, tells nothing of clients.
  package init?(_ outcome: HTTPExchange.Outcome, head: HTTPResponse?) {
    switch outcome {
    case .success(let response): self.init(response)
    case .failure(.cancelled): return nil
    case .failure(let failure):
      guard let head, (200..<300).contains(head.status) else {
        self = .refused(failure.description)
        return
      }
      self = .agreed(nil)
    }
  }

  private init(_ response: HTTPResponse) {
    guard (200..<300).contains(response.status) else {
      self = .refused("HTTP status \(response.status)")
      return
    }
    self = .agreed(response.isBodyTruncated ? nil : StopReply.clients(in: response.body))
  }
}

/// Who is at the other end of a Unix socket.
enum UnixPeer {
  /// Why it must not be asked; nil if one of the worker's processes listens there (SO_PEERCRED, unix(7)).
  static func obstacle(of descriptor: FileDescriptor, members: Set<ProcessIdentifier>) -> String? {
    // struct ucred, hidden behind _GNU_SOURCE: pid, uid, gid.
    var credentials: [Int32] = [0, 0, 0]
    var size = socklen_t(credentials.count * MemoryLayout<Int32>.size)
    guard getsockopt(descriptor.rawValue, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 else {
      return "who listens there cannot be found out: \(Errno(rawValue: errno))"
    }
    let peer = ProcessIdentifier(credentials[0])
    return members.contains(peer) ? nil : "pid \(peer) listens there, which is none of its processes"
  }
}
