internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// A way to write to a descriptor that others share, without ever waiting for who reads.
///
/// That there is room (poll(2)) does not keep write(2) from waiting: for a long line there may be room for
/// a part only, and whoever shares a pipe may have filled it in between. O_NONBLOCK cannot be set, because
/// it belongs to the open file, and so to everybody who has inherited it (open(2)). So pipes and terminals
/// are opened anew, and sockets are asked each time.
struct WaitlessDescriptor: Sendable {
  private enum Way {
    /// A file of our own that does not wait.
    case own
    /// send(2) with MSG_DONTWAIT.
    case socket
    /// As it is: files, devices that are no terminals, and what may not be opened anew.
    case shared
  }

  private let descriptor: Int32
  private let way: Way

  /// - Parameter shared: Stays the caller's, and open for as long as this is used.
  init(_ shared: FileDescriptor) {
    var status = stat()
    let isKnown = fstat(shared.rawValue, &status) == 0
    let kind = status.st_mode & S_IFMT
    if isKnown, kind == S_IFSOCK {
      (self.descriptor, self.way) = (shared.rawValue, .socket)
      return
    }
    let isWritable = cprocctl_fcntl(shared.rawValue, F_GETFL, 0) & O_ACCMODE != O_RDONLY
    if isKnown, isWritable, kind == S_IFIFO || isatty(shared.rawValue) == 1,
      let own = Self.openedAnew(shared.rawValue)
    {
      (self.descriptor, self.way) = (own, .own)
      return
    }
    (self.descriptor, self.way) = (shared.rawValue, .shared)
  }

  private static func openedAnew(_ descriptor: Int32) -> Int32? {
    // The link leads to the file itself, whatever has its name now (proc(5)).
    var paths = ["/proc/self/fd/\(descriptor)"]
    // A terminal stays its owner's after su(1), and after a change of user of our own. The controlling
    // terminal is open to everybody whose it is (tty(4)), and only of that is the session told.
    if tcgetsid(descriptor) >= 0 { paths.append("/dev/tty") }
    for path in paths {
      let own = cprocctl_open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0)
      if own >= 0 { return own }
    }
    return nil
  }

  /// Whether writing can never wait for who reads.
  var neverWaits: Bool {
    switch self.way {
    case .own, .socket: true
    case .shared: false
    }
  }

  /// - Returns: How many bytes were taken, at least one.
  /// - Throws: `.wouldBlock` if there is no room.
  func write(_ bytes: ArraySlice<UInt8>) throws(Errno) -> Int {
    var count: Int
    repeat {
      count = bytes.withUnsafeBytes { buffer in
        switch self.way {
        case .own: Glibc.write(self.descriptor, buffer.baseAddress, buffer.count)
        case .socket:
          send(self.descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        // A pipe that can be written to takes so much without waiting, if nobody else writes (pipe(7)).
        case .shared: Glibc.write(self.descriptor, buffer.baseAddress, min(buffer.count, Int(PIPE_BUF)))
        }
      }
    } while count < 0 && errno == EINTR
    guard count > 0 else { throw count < 0 ? Errno(rawValue: errno) : .wouldBlock }
    return count
  }

  /// Waits until there is room, or the time is over; true also if only an attempt can tell.
  func awaitRoom(milliseconds: Int32) -> Bool {
    var readiness = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&readiness, 1, milliseconds) != 0
  }

  func close() {
    if self.way == .own { _ = Glibc.close(self.descriptor) }
  }
}
