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
    /// What stands below the last line, each in a line of its own.
    var footer: [String] = []
    /// How many lines of it are on the terminal.
    var drawn = 0

    /// Nobody knows what the terminal shows of the footer now: the next one is drawn below.
    mutating func cutShort(_ isPartial: Bool) {
      guard isPartial else { return }
      self.midLine = true
      self.drawn = 0
    }
  }

  private static let patienceMilliseconds: Int32 = 200

  private let state: Mutex<State>

  /// - Parameter descriptor: Stays the caller's, and open for as long as this is used.
  public init(_ descriptor: FileDescriptor) {
    self.state = Mutex(State(descriptor: descriptor))
  }

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

  /// Keeps these lines below the last line of a terminal, in place of those kept there before; none takes
  /// them away. Where there is no room at once, nothing is drawn.
  ///
  /// - Parameter footer: Printable, but for colours, and each narrower than the terminal.
  package func show(footer: [String]) {
    self.state.withLock { state in
      state.footer = footer
      guard !footer.isEmpty || state.drawn > 0 else { return }
      self.put([], to: &state, patience: 0)
    }
  }

  /// - Parameter line: Without its newline.
  package func write(line: [UInt8]) {
    self.state.withLock { state in
      let newline = UInt8(ascii: "\n")
      let bytes = state.midLine ? [newline] + line + [newline] : line + [newline]
      self.put(bytes, to: &state, patience: LogOutput.patienceMilliseconds)
    }
  }

  /// Control sequences (ECMA-48): up and to the first column, clear to the end; and those in which terminals
  /// that know them hold back the picture until it is complete (DEC private mode 2026).
  private static func framed(_ line: [UInt8], footer: [String], drawn: Int) -> [UInt8] {
    guard !footer.isEmpty || drawn > 0 else { return line }
    let erase = drawn > 0 ? "\u{1b}[\(drawn)A\r\u{1b}[J" : ""
    return Array("\u{1b}[?2026h\(erase)".utf8) + line
      + Array((footer.map { $0 + "\n" }.joined() + "\u{1b}[?2026l").utf8)
  }

  private func put(_ line: [UInt8], to state: inout State, patience: Int32) {
    let bytes = Self.framed(line, footer: state.footer, drawn: state.drawn)
    let dropped: UInt64 = line.isEmpty ? 0 : 1
    var rest = bytes[...]
    while !rest.isEmpty {
      // A pipe that can be written to takes 4096 bytes without blocking (pipe(7), PIPE_BUF).
      var readiness = pollfd(fd: state.descriptor.rawValue, events: Int16(POLLOUT), revents: 0)
      if poll(&readiness, 1, state.isStalled ? 0 : patience) == 0 {
        state.isStalled = true
        state.dropped += dropped
        state.cutShort(rest.count < bytes.count)
        return
      }
      state.isStalled = false
      let count = rest.withUnsafeBytes { Glibc.write(state.descriptor.rawValue, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        state.dropped += dropped
        state.cutShort(rest.count < bytes.count)
        return
      }
      rest = rest.dropFirst(count)
    }
    state.midLine = false
    state.drawn = state.footer.count
  }
}
