internal import CProcCtl
internal import Glibc
internal import Synchronization
public import SystemPackage

/// The socket our children notify: what `NOTIFY_SOCKET` names in their environment.
///
/// Bind it before the spawn, or the first child is faster than us. The kernel
/// vouches for the sender's identity on every message. Watch ``descriptor`` for
/// reading and call ``receive(limit:)``; both from one thread at a time.
public final class NotifySocket: Sendable {
  /// Non-blocking and close-on-exec; stays this object's.
  public let descriptor: FileDescriptor
  private let address: NotifyAddress
  private let ownFile: FileIdentity?
  private let refusals = Atomic<UInt64>(0)

  private struct FileIdentity: Equatable {
    var device: UInt64
    var inode: UInt64

    init?(of path: FilePath) {
      var status = stat()
      guard path.withPlatformString({ lstat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
        return nil
      }
      self.device = UInt64(status.st_dev)
      self.inode = UInt64(status.st_ino)
    }
  }

  /// Binds an abstract name that the kernel chooses. Reachable from this network namespace only,
  /// by anybody in it.
  ///
  /// - Throws: ``NotificationError`` with code `.socket`.
  public convenience init() throws(NotificationError) {
    let socket = try NotifySocket.makeSocket()
    do throws(NotificationError) {
      try self.init(socket, at: try NotifySocket.bindToChosenName(socket))
    } catch {
      try? socket.close()
      throw error
    }
  }

  /// Binds an abstract name.
  ///
  /// - Throws: ``NotificationError``: `.addressInUse` if somebody has it, `.unsupportedAddress`, `.socket`.
  public convenience init(abstractName name: String) throws(NotificationError) {
    let address = try NotifyAddress(abstractName: Array(name.utf8))
    let socket = try NotifySocket.makeSocket()
    do throws(NotificationError) {
      try NotifySocket.bind(socket, to: address)
      try self.init(socket, at: address)
    } catch {
      try? socket.close()
      throw error
    }
  }

  /// Binds a path; what a dead predecessor left there is replaced, what is alive is not.
  ///
  /// - Parameters:
  ///   - path: Absolute. Who may reach it is best decided by its directory.
  ///   - permissions: Of the socket itself; children of other users must be able to write to it.
  /// - Throws: ``NotificationError``: `.addressInUse` if somebody receives there or it is no
  ///   socket, `.unsupportedAddress`, `.socket`.
  public convenience init(
    path: FilePath, permissions: FilePermissions = FilePermissions(rawValue: 0o666)
  ) throws(NotificationError) {
    let address = try NotifyAddress(path: path)
    try NotifySocket.removeStale(path, at: address)
    let socket = try NotifySocket.makeSocket()
    do throws(NotificationError) {
      try NotifySocket.bind(socket, to: address)
      guard path.withPlatformString({ chmod($0, permissions.rawValue) }) == 0 else {
        throw NotificationError(.socket, doing: "chmod \(path)", underlyingError: Errno(rawValue: errno))
      }
      try self.init(socket, at: address)
    } catch {
      try? socket.close()
      throw error
    }
  }

  private init(_ socket: FileDescriptor, at address: NotifyAddress) throws(NotificationError) {
    var on: Int32 = 1
    guard setsockopt(socket.rawValue, SOL_SOCKET, SO_PASSCRED, &on, socklen_t(MemoryLayout<Int32>.size)) == 0
    else {
      throw NotificationError(.socket, doing: "SO_PASSCRED", underlyingError: Errno(rawValue: errno))
    }
    self.descriptor = socket
    self.address = address
    self.ownFile = address.path.flatMap { FileIdentity(of: $0) }
  }

  deinit {
    try? self.descriptor.close()
    // Only if it is still ours: a successor may have bound the same path.
    if let path = self.address.path, let own = self.ownFile, FileIdentity(of: path) == own {
      _ = path.withPlatformString { unlink($0) }
    }
  }

  /// What a child needs as `NOTIFY_SOCKET`.
  public var environmentValue: String { self.address.environmentValue }

  /// How many messages were thrown away since the start: too long, no UTF-8, no assignment, or
  /// nobody's by the kernel's account.
  public var refusedCount: UInt64 { self.refusals.load(ordering: .relaxed) }

  // MARK: Receiving

  /// Takes what has arrived, without waiting; empty if nothing has.
  ///
  /// - Parameter limit: How many messages to take at most, so that a child that floods us starves
  ///   nobody; a level-triggered watch then reports the rest.
  /// - Throws: ``NotificationError`` with code `.socket`, if nothing was received before the failure.
  public func receive(limit: Int = 64) throws(NotificationError) -> [Notification] {
    var notifications: [Notification] = []
    // One byte more than allowed shows that a message is too long.
    var payload = [UInt8](repeating: 0, count: Assignment.messageLimit + 1)
    var control = [UInt8](repeating: 0, count: ControlMessages.receiveCapacity)
    for _ in 0..<max(limit, 0) {
      switch self.receiveOne(&payload, &control) {
      case .nothing: return notifications
      case .refused: self.refusals.add(1, ordering: .relaxed)
      case .message(let notification): notifications.append(notification)
      case .failure(let error):
        if !notifications.isEmpty { return notifications }
        throw NotificationError(.socket, doing: "recvmsg \(self.address)", underlyingError: error)
      }
    }
    return notifications
  }

  private enum Outcome {
    case nothing
    case refused
    case message(Notification)
    case failure(Errno)
  }

  private func receiveOne(_ payload: inout [UInt8], _ control: inout [UInt8]) -> Outcome {
    var flags: Int32 = 0
    var received = ControlMessages.Received()
    let length = payload.withUnsafeMutableBytes { payload in
      control.withUnsafeMutableBytes { control in
        var part = iovec(iov_base: payload.baseAddress, iov_len: payload.count)
        return withUnsafeMutablePointer(to: &part) { parts in
          var header = msghdr()
          header.msg_iov = parts
          header.msg_iovlen = 1
          header.msg_control = control.baseAddress
          header.msg_controllen = control.count
          let asked = Int32(MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
          var length = -1
          repeat {
            length = recvmsg(self.descriptor.rawValue, &header, asked)
          } while length < 0 && errno == EINTR
          guard length >= 0 else { return length }
          flags = header.msg_flags
          received = ControlMessages.decode(
            UnsafeRawBufferPointer(start: control.baseAddress, count: Int(header.msg_controllen)))
          return length
        }
      }
    }
    if length < 0 {
      let error = Errno(rawValue: errno)
      return error == .wouldBlock ? .nothing : .failure(error)
    }
    // At once and always: a barrier waits for it, and nobody may fill our table.
    for descriptor in received.descriptors { try? descriptor.close() }
    let truncated = Int32(MSG_TRUNC | MSG_CTRUNC)
    guard
      flags & truncated == 0, length <= Assignment.messageLimit,
      // Zero: a process this pid namespace cannot see.
      let sender = received.credentials, sender.pid > 0,
      let assignments = Assignment.parse(payload[..<length])
    else { return .refused }
    return .message(
      Notification(
        pid: sender.pid, uid: sender.uid, gid: sender.gid, assignments: assignments,
        descriptorCount: received.descriptors.count))
  }

  // MARK: Binding

  private static func makeSocket() throws(NotificationError) -> FileDescriptor {
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let socket = Glibc.socket(AF_UNIX, type, 0)
    guard socket >= 0 else {
      throw NotificationError(.socket, doing: "socket", underlyingError: Errno(rawValue: errno))
    }
    return FileDescriptor(rawValue: socket)
  }

  private static func bind(_ socket: FileDescriptor, to address: NotifyAddress) throws(NotificationError) {
    let failure = address.withSocketAddress { pointer, length in
      Glibc.bind(socket.rawValue, pointer, length) == 0 ? nil : Errno(rawValue: errno)
    }
    guard let failure else { return }
    throw NotificationError(
      failure == .addressInUse ? .addressInUse : .socket, doing: "bind \(address)", underlyingError: failure)
  }

  /// An address of the family alone makes the kernel choose a free abstract name (unix(7), autobind).
  private static func bindToChosenName(_ socket: FileDescriptor) throws(NotificationError) -> NotifyAddress {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    var length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let failure = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
        Glibc.bind(socket.rawValue, general, socklen_t(offset)) == 0
          && getsockname(socket.rawValue, general, &length) == 0 ? nil : Errno(rawValue: errno)
      }
    }
    if let failure {
      throw NotificationError(.socket, doing: "bind an abstract name", underlyingError: failure)
    }
    let name = withUnsafeBytes(of: address.sun_path) { path in
      Array(path.prefix(max(0, Int(length) - offset)).dropFirst())
    }
    return try NotifyAddress(abstractName: name)
  }

  /// A socket nobody is bound to refuses the connection; only then is its file rubbish.
  private static func removeStale(_ path: FilePath, at address: NotifyAddress) throws(NotificationError) {
    guard FileIdentity(of: path) != nil else { return }
    let probe = try self.makeSocket()
    defer { try? probe.close() }
    let failure = address.withSocketAddress { pointer, length in
      connect(probe.rawValue, pointer, length) == 0 ? nil : Errno(rawValue: errno)
    }
    switch failure {
    case .some(.connectionRefused):
      guard path.withPlatformString({ unlink($0) }) == 0 || errno == ENOENT else {
        throw NotificationError(.socket, doing: "unlink \(path)", underlyingError: Errno(rawValue: errno))
      }
    case .some(.noSuchFileOrDirectory): return
    default:
      throw NotificationError(
        .addressInUse, doing: "bind \(address)", underlyingError: failure ?? .addressInUse)
    }
  }
}
