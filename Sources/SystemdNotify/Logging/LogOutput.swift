internal import CProcCtl
internal import Glibc
internal import Synchronization
public import SystemPackage

/// A descriptor that log lines go to, one write(2) each, so that lines of several
/// threads and processes never mix. May be used from any thread.
///
/// A pipe nobody reads must not stop a supervisor: where there is no room within
/// a moment, the line is dropped and counted, and the next ones do not wait.
public final class LogOutput: Sendable {
  private struct State {
    var descriptor: FileDescriptor
    var dropped: UInt64 = 0
    /// A line was cut short; the next one must not continue it.
    var midLine = false
    /// The last line found no room.
    var isStalled = false
    var footer = TerminalFooter()
  }

  private static let patienceMilliseconds: Int32 = 200

  private let state: Mutex<State>

  /// - Parameter descriptor: Stays the caller's, and open for as long as this is used.
  public init(_ descriptor: FileDescriptor) {
    self.state = Mutex(State(descriptor: descriptor))
  }

  /// Standard error, one for the whole process: lines of several handlers do not mix.
  public static let standardError = LogOutput(.standardError)

  /// Writes to another descriptor from now on, as after a rotation.
  ///
  /// - Returns: The one used so far, now free to be closed.
  @discardableResult
  public func replaceDescriptor(_ descriptor: FileDescriptor) -> FileDescriptor {
    self.state.withLock { state in
      let previous = state.descriptor
      state.descriptor = descriptor
      state.midLine = false
      return previous
    }
  }

  /// How many lines could not be written.
  public var droppedLines: UInt64 { self.state.withLock { $0.dropped } }

  /// Keeps these lines at the lower edge of a terminal, in place of those kept there before; none takes them
  /// away. Where there is no room at once, nothing is drawn.
  ///
  /// - Parameters:
  ///   - footer: Printable, but for colours, and each narrower than the terminal.
  ///   - rows: The height of the terminal.
  package func show(footer: [String], rows: Int) {
    self.state.withLock { state in
      let frame = state.footer.frame(showing: footer, rows: rows)
      guard !frame.isEmpty else { return }
      state.footer.wrote(self.put(frame, to: &state, patience: 0), of: frame)
    }
  }

  /// - Parameter line: Without its newline.
  package func write(line: [UInt8]) {
    self.state.withLock { state in
      let newline = UInt8(ascii: "\n")
      let bytes = state.midLine ? [newline] + line + [newline] : line + [newline]
      let count = self.put(bytes, to: &state, patience: LogOutput.patienceMilliseconds)
      if count < bytes.count { state.dropped += 1 }
      state.midLine = count == bytes.count ? false : state.midLine || count > 0
    }
  }

  /// - Returns: How many bytes were taken.
  private func put(_ bytes: [UInt8], to state: inout State, patience: Int32) -> Int {
    var rest = bytes[...]
    while !rest.isEmpty {
      // A pipe that can be written to takes 4096 bytes without blocking (pipe(7), PIPE_BUF).
      var readiness = pollfd(fd: state.descriptor.rawValue, events: Int16(POLLOUT), revents: 0)
      if poll(&readiness, 1, state.isStalled ? 0 : patience) == 0 {
        state.isStalled = true
        break
      }
      state.isStalled = false
      let count = rest.withUnsafeBytes { Glibc.write(state.descriptor.rawValue, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        break
      }
      rest = rest.dropFirst(count)
    }
    return bytes.count - rest.count
  }
}
