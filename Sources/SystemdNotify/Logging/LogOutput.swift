internal import Synchronization
public import SystemPackage

/// A descriptor that log lines go to, one write(2) each, so that lines of several
/// threads and processes never mix. May be used from any thread.
///
/// A pipe nobody reads must not stop a supervisor: where there is no room within
/// a moment, the line is dropped and counted, and the next ones do not wait. Nor
/// does it matter who else writes to it.
public final class LogOutput: Sendable {
  private struct State {
    var descriptor: FileDescriptor
    var target: WaitlessDescriptor
    var dropped: UInt64 = 0
    /// A line was cut short; the next one must not continue it.
    var midLine = false
    /// The last line found no room.
    var isStalled = false
    var footer = TerminalFooter()
  }

  private let state: Mutex<State>

  /// - Parameter descriptor: Stays the caller's, and open for as long as this is used.
  public init(_ descriptor: FileDescriptor) {
    self.state = Mutex(State(descriptor: descriptor, target: WaitlessDescriptor(descriptor)))
  }

  deinit { self.state.withLock { $0.target.close() } }

  /// Standard error, one for the whole process: lines of several handlers do not mix.
  public static let standardError = LogOutput(.standardError)

  /// Writes to another descriptor from now on, as after a rotation.
  ///
  /// - Returns: The one used so far, now free to be closed.
  @discardableResult
  public func replaceDescriptor(_ descriptor: FileDescriptor) -> FileDescriptor {
    self.state.withLock { state in
      let previous = state.descriptor
      state.target.close()
      state.descriptor = descriptor
      state.target = WaitlessDescriptor(descriptor)
      state.midLine = false
      return previous
    }
  }

  /// How many lines could not be written.
  public var droppedLines: UInt64 { self.state.withLock { $0.dropped } }

  /// Whether a terminal whose output is held keeps nobody here: it could be opened anew.
  package var neverWaits: Bool { self.state.withLock { $0.target.neverWaits } }

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
      state.footer.wrote(self.put(frame, to: &state, patience: .none), of: frame)
    }
  }

  /// Writes a text of some lines as one, with all its newlines but the last.
  package func write(text: String) {
    self.write(line: Array(text.utf8.last == UInt8(ascii: "\n") ? text.utf8.dropLast() : text.utf8[...]))
  }

  /// - Parameter line: Without its newline.
  package func write(line: [UInt8]) {
    self.state.withLock { state in
      let newline = UInt8(ascii: "\n")
      let bytes = state.midLine ? [newline] + line + [newline] : line + [newline]
      let count = self.put(bytes, to: &state, patience: state.isStalled ? .none : .line)
      if count < bytes.count { state.dropped += 1 }
      state.midLine = count == bytes.count ? false : state.midLine || count > 0
    }
  }

  /// - Returns: How many bytes were taken.
  private func put(_ bytes: [UInt8], to state: inout State, patience: WritePatience) -> Int {
    var patience = patience
    var rest = bytes[...]
    while !rest.isEmpty {
      let began = SuspendingClock.now
      let hasRoom = state.target.awaitRoom(milliseconds: Int32(patience.nextWait / .milliseconds(1)))
      patience.waited(began.duration(to: .now))
      do throws(Errno) {
        guard hasRoom else { throw .wouldBlock }
        rest = rest.dropFirst(try state.target.write(rest))
        state.isStalled = false
      } catch .wouldBlock where !patience.isOver {
        // There may be room yet, or somebody else has filled it in between.
        continue
      } catch {
        state.isStalled = error == .wouldBlock
        break
      }
    }
    return bytes.count - rest.count
  }
}
