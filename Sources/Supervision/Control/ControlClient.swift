internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// Calls a master over its control socket, one call at a time. Blocks the calling thread, up to a deadline.
package final class ControlClient {
  /// Longer replies are not believed: 10,000 workers take a few megabytes.
  private static let longestReply = 64 << 20

  package let path: FilePath
  private let descriptor: Int32
  private var framing = VarlinkFraming(limit: ControlClient.longestReply)
  private var messages: [[UInt8]] = []

  /// Connects. The other end must be root's or this user's, unless this is root.
  ///
  /// - Throws: `ProcessError` with code `.sockets`; its `underlyingError` is ECONNREFUSED or ENOENT where
  ///   nobody listens.
  package init(to path: FilePath) throws(ProcessError) {
    self.path = path
    func failure(_ errno: Errno) -> ProcessError {
      ProcessError(.sockets, doing: "connect to the control socket \(path)", underlyingError: errno)
    }
    guard let target = SocketAddress.unix(path: path.string).kernelForm else {
      throw failure(.fileNameTooLong)
    }
    self.descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard self.descriptor >= 0 else { throw failure(Errno(rawValue: errno)) }
    // A master whose queue of connections is full and stays full must not keep us (unix(7), socket(7)).
    _ = cprocctl_set_send_timeout(self.descriptor, 5)
    let result = target.withUnsafeBytes { bytes in
      connect(
        self.descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    guard result == 0 else {
      let reason = Errno(rawValue: errno)
      throw failure(reason)
    }
    let peer = PeerCredentials(of: FileDescriptor(rawValue: self.descriptor))
    guard geteuid() == 0 || peer?.mayCommand(geteuid()) == true else {
      throw ProcessError(
        .sockets, doing: "trust \(path), where user \(peer?.user ?? .max) listens",
        underlyingError: .permissionDenied)
    }
  }

  deinit { if self.descriptor >= 0 { Glibc.close(self.descriptor) } }

  /// Sends a call. Its replies come from ``reply(as:by:)``.
  ///
  /// - Throws: `ProcessError` with code `.sockets`.
  package func send(
    _ method: String, _ parameters: some Encodable, more: Bool = false
  ) throws(ProcessError) {
    let call = VarlinkCall(method: ControlInterface.name + "." + method, more: more ? true : nil)
    var bytes = VarlinkMessage.call(call, parameters)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes {
        Glibc.send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw ProcessError(.sockets, doing: "call \(self.path)", underlyingError: Errno(rawValue: errno))
      }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Why there is no reply.
  package enum Failure: Error, Sendable {
    case refused(VarlinkError)
    /// The master is gone, or has ended meanwhile.
    case closed
    case timedOut
  }

  /// Waits for the next reply.
  ///
  /// - Parameter deadline: Nil for however long it takes.
  package func reply<Value: Codable>(
    as type: Value.Type, by deadline: MonotonicInstant?
  ) throws(Failure) -> (value: Value, continues: Bool) {
    let message = try self.message(by: deadline)
    do throws(VarlinkError) {
      return try VarlinkMessage.reply(in: message, as: type)
    } catch {
      throw .refused(error)
    }
  }

  private func message(by deadline: MonotonicInstant?) throws(Failure) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while self.messages.isEmpty {
      var watch = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
      var limit: Int32 = -1
      if let deadline {
        let left = MonotonicInstant.now.duration(to: deadline).wholeNanoseconds
        limit = Int32(clamping: max(left, 0) / 1_000_000)
      }
      let ready = poll(&watch, 1, limit)
      if ready < 0, errno == EINTR { continue }
      guard ready > 0 else { throw .timedOut }
      let count = recv(self.descriptor, &buffer, buffer.count, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .closed }
      do throws(VarlinkFraming.TooLong) {
        self.messages += try self.framing.receive(buffer[..<count])
      } catch {
        throw .closed
      }
    }
    return self.messages.removeFirst()
  }
}
