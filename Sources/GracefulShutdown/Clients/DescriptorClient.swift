internal import Glibc
internal import Synchronization
public import SystemPackage

/// A client on a file descriptor: a socket, or the end of a pipe that leads to it.
///
/// It is told by writing a message. Then its connection is closed for writing, so that it reads the end
/// of the stream (shutdown(2)), and waited for until it hangs up. It is dropped by a reset, or by closing
/// the pipe. What the client sends is never read here, so the server
/// may go on reading. Telling a client that does not read, or waiting for one that does not leave, takes a
/// thread for that time.
public final class DescriptorClient: ShutdownClient {
  /// Who closes the descriptor.
  public struct Ownership: Hashable, Sendable {
    private let isOwned: Bool

    /// This client does, once it is closed or dropped; the caller must not use it from then on.
    public static let owned = Ownership(isOwned: true)
    /// The caller does, but not before the client is closed or dropped. A pipe whose reader does not
    /// leave by itself stays open then.
    public static let borrowed = Ownership(isOwned: false)
  }

  private struct State {
    /// Calls that use the descriptor now.
    var users = 0
    var isAborted = false
    var isClosing = false
    var isClosed = false
  }

  /// Names the client in logs and in the report.
  public let shutdownName: String
  private let descriptor: FileDescriptor
  private let ownership: Ownership
  private let message: ShutdownMessage
  private let isSocket: Bool
  /// A pipe that ends when the client is dropped, to wake who waits; a socket needs none.
  private let wake: (readEnd: FileDescriptor, writeEnd: FileDescriptor)?
  private let state = Mutex(State())

  /// Creates a client.
  ///
  /// - Parameters:
  ///   - descriptor: A connected stream socket, or a pipe's writing end.
  ///   - name: Names the client in logs and in the report.
  ///   - message: What it is told.
  ///   - ownership: Who closes the descriptor.
  /// - Throws: `Errno` if the kernel has no descriptor left for the waiting.
  public init(
    _ descriptor: FileDescriptor, name: String, message: ShutdownMessage = .jsonRPCLine,
    ownership: Ownership = .borrowed
  ) throws(Errno) {
    self.descriptor = descriptor
    self.shutdownName = name
    self.message = message
    self.ownership = ownership
    var status = stat()
    self.isSocket = fstat(descriptor.rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    self.wake = self.isSocket ? nil : try DescriptorClient.pipe()
  }

  deinit {
    try? self.wake?.readEnd.close()
    if !self.state.withLock({ $0.isAborted }) { try? self.wake?.writeEnd.close() }
  }

  private static func pipe() throws(Errno) -> (readEnd: FileDescriptor, writeEnd: FileDescriptor) {
    do {
      let pipe = try FileDescriptor.pipe()
      for end in [pipe.readEnd, pipe.writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
      return pipe
    } catch let error as Errno {
      throw error
    } catch {
      throw Errno.badFileDescriptor
    }
  }

  /// Writes the message. Throws ``ShutdownClientLeft`` if nobody is there to read it, else `Errno`.
  public func notify(_ reason: ShutdownReason) async throws {
    let bytes = self.message.bytes(for: reason)
    guard !bytes.isEmpty else { return }
    try await self.onThread { try self.write(bytes) }
  }

  /// Ends the stream towards the client and waits until it has hung up. Throws
  /// ``ShutdownClientLeft`` if the connection was aborted or is being closed already, else `Errno`.
  public func close() async throws {
    if self.isSocket {
      guard shutdown(self.descriptor.rawValue, Int32(SHUT_WR)) == 0 || errno == ENOTCONN else {
        throw Errno(rawValue: errno)
      }
    } else if self.ownership == .owned {
      return self.finish()
    }
    try await self.onThread { try self.waitUntilLeft() }
    self.finish()
  }

  /// Resets the connection; wakes whoever waits for it.
  public func abort() {
    let isFirst = self.state.withLock { state in
      defer { state.isAborted = true }
      return !state.isAborted && !state.isClosed
    }
    guard isFirst else { return }
    try? self.wake?.writeEnd.close()
    if self.isSocket {
      // Resets a TCP connection (connect(2), AF_UNSPEC); others are just ended. Wakes who waits, too.
      var unspecified = sockaddr()
      unspecified.sa_family = sa_family_t(AF_UNSPEC)
      if connect(self.descriptor.rawValue, &unspecified, socklen_t(MemoryLayout<sockaddr>.size)) != 0 {
        shutdown(self.descriptor.rawValue, Int32(SHUT_RDWR))
      }
    }
    self.finish()
  }

  // MARK: Steps

  /// Runs it on a thread of its own, during which the descriptor is not closed.
  private func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    let mayUse = self.state.withLock { state in
      guard !state.isAborted, !state.isClosing else { return false }
      state.users += 1
      return true
    }
    guard mayUse else { throw ShutdownClientLeft() }
    defer { self.release() }
    try await BlockingThread.run(body)
  }

  private func release() {
    let mustClose = self.state.withLock { state in
      state.users -= 1
      return DescriptorClient.mayClose(&state)
    }
    if mustClose { self.closeDescriptor() }
  }

  private func finish() {
    let mustClose = self.state.withLock { state in
      state.isClosing = true
      return DescriptorClient.mayClose(&state)
    }
    if mustClose { self.closeDescriptor() }
  }

  private static func mayClose(_ state: inout State) -> Bool {
    guard state.isClosing, state.users == 0, !state.isClosed else { return false }
    state.isClosed = true
    return true
  }

  private func closeDescriptor() {
    if self.ownership == .owned { try? self.descriptor.close() }
  }

  private func write(_ bytes: [UInt8]) throws {
    // A pipe without a reader sends SIGPIPE to the thread that writes, which ends with it pending.
    var broken = sigset_t()
    sigemptyset(&broken)
    sigaddset(&broken, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &broken, nil)
    var sent = 0
    while sent < bytes.count {
      let events = try self.wait(for: Int16(POLLOUT))
      if events & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { throw ShutdownClientLeft() }
      let count = bytes.withUnsafeBytes { buffer in
        let rest = UnsafeRawBufferPointer(rebasing: buffer[sent...])
        return self.isSocket
          ? send(
            self.descriptor.rawValue, rest.baseAddress, rest.count,
            Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
          // What poll(2) says a pipe takes is written without blocking (pipe(7), PIPE_BUF).
          : Glibc.write(self.descriptor.rawValue, rest.baseAddress, min(rest.count, Int(PIPE_BUF)))
      }
      if count >= 0 {
        sent += count
      } else {
        switch errno {
        case EINTR, EAGAIN: continue
        case EPIPE, ECONNRESET: throw ShutdownClientLeft()
        default: throw Errno(rawValue: errno)
        }
      }
    }
  }

  private func waitUntilLeft() throws {
    let gone = Int16(POLLERR | POLLHUP | POLLNVAL) | DescriptorClient.readHangUp
    while true {
      if try self.wait(for: self.isSocket ? DescriptorClient.readHangUp : 0) & gone != 0 { return }
    }
  }

  /// POLLRDHUP of poll(2), which only _GNU_SOURCE defines.
  private static let readHangUp: Int16 = 0x2000

  /// What poll(2) reports of the descriptor. Throws when dropped meanwhile.
  private func wait(for events: Int16) throws -> Int16 {
    var descriptors = [pollfd(fd: self.descriptor.rawValue, events: events, revents: 0)]
    if let wake = self.wake {
      descriptors.append(pollfd(fd: wake.readEnd.rawValue, events: Int16(POLLIN), revents: 0))
    }
    while poll(&descriptors, nfds_t(descriptors.count), -1) < 0 {
      guard errno == EINTR else { throw Errno(rawValue: errno) }
    }
    if self.state.withLock({ $0.isAborted }) { throw CancellationError() }
    return descriptors[0].revents
  }
}
