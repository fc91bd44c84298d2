internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// One attempt to connect to a TCP port or a Unix socket, with a deadline.
///
/// Confined to the loop's thread. The completion is called exactly once, never
/// from within ``start()`` or ``cancel()``, and no descriptor outlives it but
/// the one it is given.
package final class ConnectionAttempt {
  package enum Outcome: Hashable, Sendable {
    /// The descriptor is non-blocking, close-on-exec, and the receiver's to close.
    case connected(FileDescriptor)
    /// Nobody listens (ECONNREFUSED), or the connection went to itself.
    case refused
    case timedOut
    case cancelled
    /// Something else. For a Unix socket EAGAIN means that its queue is full:
    /// the kernel reports that at once and never tells when there is room (unix(7)).
    case failed(Errno)
  }

  private let loop: EventLoop
  private let address: SocketAddress
  private let deadline: MonotonicInstant
  private let completion: DeferredCompletion<Outcome>
  private var connecting: FileDescriptor?
  private var timer: TimerIdentifier?
  private var started = false

  package init(
    on loop: EventLoop, to address: SocketAddress, deadline: MonotonicInstant,
    completion: @escaping (Outcome) -> Void
  ) {
    self.loop = loop
    self.address = address
    self.deadline = deadline
    self.completion = DeferredCompletion(on: loop, cancelled: .cancelled, completion)
  }

  /// Begins; does nothing the second time.
  package func start() {
    guard !self.started else { return }
    self.started = true
    guard self.deadline > .now else { return self.settle(.timedOut) }
    guard let target = self.address.kernelForm else { return self.settle(.failed(.invalidArgument)) }
    let number = socket(
      self.address.domain,
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard number >= 0 else { return self.settle(.failed(Errno(rawValue: errno))) }
    let descriptor = FileDescriptor(rawValue: number)
    let result = target.withUnsafeBytes { bytes in
      connect(number, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    self.connecting = descriptor
    if result == 0 { return self.connected() }
    let error = Errno(rawValue: errno)
    // An interrupted connect goes on like one in progress (connect(2)).
    guard error == .nowInProgress || error == .interrupted else { return self.fail(with: error) }
    do {
      try self.loop.watch(descriptor, for: .writable) { _ in self.writable() }
    } catch {
      return self.settle(.failed(error.underlyingError ?? .ioError))
    }
    self.timer = self.loop.schedule(at: self.deadline) { self.settle(.timedOut) }
  }

  /// Gives up: the completion gets `.cancelled`, unless it has been called.
  package func cancel() {
    self.started = true
    self.settle(.cancelled)
  }

  /// Our end, from connect(2) until the outcome is delivered.
  package var localAddress: SocketAddress? {
    if case .connected(let descriptor) = self.completion.undelivered {
      return SocketEndpoints.localAddress(of: descriptor)
    }
    return self.connecting.flatMap { SocketEndpoints.localAddress(of: $0) }
  }

  private func writable() {
    guard let descriptor = self.connecting else { return }
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ERROR, &error, &size) == 0 else {
      return self.fail(with: Errno(rawValue: errno))
    }
    guard error == 0 else { return self.fail(with: Errno(rawValue: error)) }
    // A wake-up meant for an earlier owner of the descriptor's number.
    guard SocketEndpoints.isConnected(descriptor) else { return }
    self.connected()
  }

  private func connected() {
    guard let descriptor = self.connecting else { return }
    if SocketEndpoints.isConnectedToItself(descriptor) {
      SocketEndpoints.resetOnClose(descriptor)
      return self.settle(.refused)
    }
    self.connecting = nil
    self.loop.unwatch(descriptor)
    self.settle(.connected(descriptor))
  }

  private func fail(with error: Errno) {
    switch error {
    case .connectionRefused: self.settle(.refused)
    // The kernel gave up before our deadline.
    case .timedOut: self.settle(.timedOut)
    default: self.settle(.failed(error))
    }
  }

  private func settle(_ outcome: Outcome) {
    if let timer = self.timer { self.loop.cancel(timer) }
    self.timer = nil
    if let descriptor = self.connecting {
      self.loop.unwatch(descriptor)
      close(descriptor.rawValue)
    }
    self.connecting = nil
    if case .connected(let descriptor) = self.completion.settle(outcome) { close(descriptor.rawValue) }
  }
}

/// The two ends of a connected socket.
package enum SocketEndpoints {
  static func isConnected(_ descriptor: FileDescriptor) -> Bool {
    self.name(of: descriptor, getpeername) != nil
  }

  /// Whether a TCP socket is connected to itself.
  ///
  /// That happens when nobody listens on a port of the ephemeral range and the
  /// kernel picks that very port as the source: the two ends open each other
  /// (RFC 9293, simultaneous open). Taken for an answer it would be a false
  /// "ready", and it would hold the port against the worker it asked for.
  package static func isConnectedToItself(_ descriptor: FileDescriptor) -> Bool {
    guard let local = self.name(of: descriptor, getsockname),
      let remote = self.name(of: descriptor, getpeername)
    else { return false }
    // Both ends of a socketpair or of an unnamed client have no name at all.
    return local == remote && local.count > MemoryLayout<sa_family_t>.size
  }

  /// The name of the descriptor's own end; nil if it is not one of TCP.
  package static func localAddress(of descriptor: FileDescriptor) -> SocketAddress? {
    guard let name = self.name(of: descriptor, getsockname) else { return nil }
    return name.withUnsafeBytes { bytes in
      guard bytes.count >= MemoryLayout<sockaddr_in>.size else { return nil }
      let v4 = bytes.loadUnaligned(as: sockaddr_in.self)
      let address: InternetAddress?
      switch Int32(v4.sin_family) {
      case AF_INET: address = withUnsafeBytes(of: v4.sin_addr) { InternetAddress(rawBytes: $0) }
      case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
        let v6 = bytes.loadUnaligned(as: sockaddr_in6.self)
        address = withUnsafeBytes(of: v6.sin6_addr) { InternetAddress(rawBytes: $0) }
      default: address = nil
      }
      // The port is at the same place in both.
      return address.map { .tcp($0, port: UInt16(bigEndian: v4.sin_port)) }
    }
  }

  /// Makes close(2) send a reset and leave no TIME_WAIT (SO_LINGER of 0, socket(7)).
  static func resetOnClose(_ descriptor: FileDescriptor) {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor.rawValue, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  private static func name(
    of descriptor: FileDescriptor,
    _ call: (Int32, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?) -> Int32
  ) -> [UInt8]? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        call(descriptor.rawValue, $0, &length)
      }
    }
    guard result == 0 else { return nil }
    return withUnsafeBytes(of: &storage) { Array($0.prefix(Int(length))) }
  }
}
