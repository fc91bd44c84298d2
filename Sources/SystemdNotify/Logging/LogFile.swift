internal import CProcCtl
internal import Glibc
internal import Synchronization
package import SystemPackage

/// A log in a file of its own, bounded in size. May be used from any thread.
///
/// Each line is one write(2) to the end of the file, by a ``FileWriter``, and nothing is synced: the
/// kernel takes the bytes and brings them to the disk in its own time. Whoever has a line waits for
/// neither; what is too much to wait for a disk that does not answer is counted, and the file says how
/// many lines it lacks once it goes on. When the file has reached its limit it
/// becomes `NAME.1`, what was that becomes `NAME.2`, and so on. Whatever goes wrong after it was
/// opened (no space, an error of the disk, a directory that is gone) costs lines, which are counted
/// and complained of once, and never more.
package final class LogFile: LogDestination {
  /// How large a log may become.
  package struct Limits: Sendable, Hashable {
    /// In bytes; 0 for no limit.
    package var size: Int
    /// How many older files are kept beside it.
    package var keep: Int

    package init(size: Int, keep: Int) {
      self.size = size
      self.keep = keep
    }
  }

  /// What is known where lines come from. Never held while anything else is done.
  private struct Entrance {
    var isMuted: Bool
    var isOpen = false
    /// Lines that did not get in since the last that did.
    var refused: UInt64 = 0
  }

  /// The file, which jobs of the writer hold for as long as a disk takes.
  private struct State {
    var descriptor: FileDescriptor?
    /// Bytes in the file, by our own account.
    var size = 0
    /// A line was cut short; the next one must not continue it.
    var midLine = false
    var hasComplained = false
  }

  package let path: FilePath
  private let limits: Limits
  private let writer: FileWriter
  private let gapLine: @Sendable (UInt64) -> [UInt8]
  private let complain: @Sendable (String) -> Void
  private let entrance: Mutex<Entrance>
  private let state = Mutex(State())
  private let lost = Atomic<UInt64>(0)
  /// What a line takes while it waits, besides its bytes.
  private static let overhead = 128

  /// - Parameters:
  ///   - writer: Who does what a disk may keep waiting.
  ///   - isMuted: Whether lines are passed over until ``unmute()``.
  ///   - gapLine: What the file is to say where so many lines are missing, without its newline.
  ///   - complain: Told once, until the file is opened anew, that lines are lost; on any thread. It must
  ///     not log here.
  package init(
    _ path: FilePath, limits: Limits, writer: FileWriter, isMuted: Bool = false,
    gapLine: @escaping @Sendable (UInt64) -> [UInt8] = LogFile.plainGapLine,
    complain: @escaping @Sendable (String) -> Void
  ) {
    self.path = path
    self.limits = limits
    self.writer = writer
    self.gapLine = gapLine
    self.complain = complain
    self.entrance = Mutex(Entrance(isMuted: isMuted))
  }

  deinit {
    self.state.withLock { state in
      if let descriptor = state.descriptor { close(descriptor.rawValue) }
    }
  }

  package static func gapText(_ lines: UInt64) -> String {
    "\(lines) \(lines == 1 ? "line is" : "lines are") missing here: the disk did not take more"
  }

  @Sendable package static func plainGapLine(_ lines: UInt64) -> [UInt8] { Array(self.gapText(lines).utf8) }

  /// How many lines could not be written.
  package var lostLines: UInt64 { self.lost.load(ordering: .relaxed) }

  /// Opens the file, making it if need be; until then lines are passed over. Opened again, it writes
  /// to whatever has the name by now (as after logrotate(8)), or on to the old one if there is none
  /// to be had. Waits for the disk: see ``reopen(completion:)``.
  package func open() throws(Errno) {
    try self.openNow()
    self.entrance.withLock { $0.isOpen = true }
  }

  /// Opens it again, after what was written before, without waiting for that.
  ///
  /// - Parameter completion: Called once, on any thread, with what went wrong; not called if this returns false.
  /// - Returns: Whether there was room for one more thing to do.
  package func reopen(completion: @escaping @Sendable (Errno?) -> Void) -> Bool {
    self.writer.submit(bytes: Self.overhead) {
      do throws(Errno) {
        try self.openNow()
        completion(nil)
      } catch {
        completion(error)
      }
    }
  }

  private func openNow() throws(Errno) {
    let (descriptor, size) = try Self.openFile(self.path)
    self.state.withLock { state in
      if let previous = state.descriptor { close(previous.rawValue) }
      state.descriptor = descriptor
      state.size = size
      state.midLine = false
      state.hasComplained = false
    }
  }

  /// Takes lines from now on.
  package func unmute() { self.entrance.withLock { $0.isMuted = false } }

  package func write(line: [UInt8]) {
    let refused = self.entrance.withLock { entrance -> UInt64? in
      guard entrance.isOpen, !entrance.isMuted else { return nil }
      defer { entrance.refused = 0 }
      return entrance.refused
    }
    guard let refused else { return }
    let isTaken = self.writer.submit(bytes: line.count + Self.overhead) {
      if refused > 0 { self.append(self.gapLine(refused)) }
      self.append(line)
    }
    guard !isTaken else { return }
    self.entrance.withLock { $0.refused += refused + 1 }
    self.lost.add(1, ordering: .relaxed)
  }

  private func append(_ line: [UInt8]) {
    let complaint = self.state.withLock { state -> String? in
      guard let descriptor = state.descriptor else { return nil }
      let newline = UInt8(ascii: "\n")
      let bytes = state.midLine ? [newline] + line + [newline] : line + [newline]
      var trouble: String?
      if self.limits.size > 0, state.size > 0, state.size + bytes.count > self.limits.size {
        trouble = self.rotate(&state)
      }
      let (written, error) = Self.write(bytes, to: state.descriptor ?? descriptor)
      state.size += written
      if let error {
        state.midLine = state.midLine || written > 0
        self.lost.add(1, ordering: .relaxed)
        trouble = "write \(self.path): \(error)"
      } else {
        state.midLine = false
      }
      return self.firstComplaint(trouble, &state)
    }
    if let complaint { self.complain(complaint) }
  }

  private func firstComplaint(_ trouble: String?, _ state: inout State) -> String? {
    guard let trouble, !state.hasComplained else { return nil }
    state.hasComplained = true
    return trouble
  }

  /// Begins a new file.
  ///
  /// - Returns: What could not be done. The limit holds all the same: a file that cannot be set aside is
  ///   emptied, because its newest lines are worth more than its oldest.
  private func rotate(_ state: inout State) -> String? {
    guard let current = state.descriptor else { return nil }
    do throws(Errno) {
      try RotatedFile.setAside(self.path, keep: self.limits.keep)
      let (descriptor, size) = try Self.openFile(self.path)
      close(current.rawValue)
      state.descriptor = descriptor
      state.size = size
      state.midLine = false
      return nil
    } catch {
      if ftruncate(current.rawValue, 0) == 0 { state.size = 0 }
      return "begin \(self.path) anew: \(error)"
    }
  }

  private static func openFile(_ path: FilePath) throws(Errno) -> (FileDescriptor, size: Int) {
    // Not to wait for the reader of a fifo.
    let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
    let descriptor = cprocctl_open(path.string, flags, 0o640)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .invalidArgument
    }
    return (FileDescriptor(rawValue: descriptor), Int(status.st_size))
  }

  /// - Returns: How much was written, and why not the rest.
  private static func write(_ bytes: [UInt8], to descriptor: FileDescriptor) -> (Int, Errno?) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor.rawValue, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        return (bytes.count - rest.count, Errno(rawValue: errno))
      }
      rest = rest.dropFirst(count)
    }
    return (bytes.count, nil)
  }
}
