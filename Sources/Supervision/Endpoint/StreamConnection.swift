internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// One accepted connection on the event loop: bytes in, bytes out, a deadline, and no way for the other
/// side to make us wait.
///
/// Confined to the loop's thread. It is closed exactly once, by us or by the other side, and then says so.
package final class StreamConnection {
  private enum Stage {
    case open
    /// Everything is said; what remains is to hear the other side's end, so that it reads all of it.
    case finishing
    case closed
  }

  /// How much is read at a time: others get their turn in between.
  private static let chunkSize = 16 * 1024
  /// How long the other side has to hear our end.
  private static let farewell = Duration.seconds(1)

  private let loop: EventLoop
  private let descriptor: FileDescriptor
  private var stage = Stage.open
  private var unsent: [UInt8] = []
  private var sent = 0
  private var interest = EventLoop.Interest.readable
  private var timer: TimerIdentifier?
  private var armedFor: MonotonicInstant?
  private var deadline: MonotonicInstant?

  /// What has come in.
  package var whenReceived: (([UInt8]) -> Void)?
  /// The other side will say nothing more.
  package var whenEnded: (() -> Void)?
  /// All that was to be sent has been handed to the kernel.
  package var whenSent: (() -> Void)?
  package var whenClosed: (() -> Void)?

  /// Whether to take what comes in; if not, the other side has to wait.
  package var isReading = true { didSet { self.updateInterest() } }
  /// How many bytes the other side has yet to take.
  package var backlog: Int { self.unsent.count - self.sent }
  package var isOpen: Bool { self.stage == .open }
  package var isClosed: Bool { self.stage == .closed }

  /// - Parameter descriptor: Non-blocking; from now on this connection's.
  /// - Throws: `ProcessError` with code `.eventLoop`; the descriptor is closed then.
  package init(_ descriptor: FileDescriptor, on loop: EventLoop) throws(ProcessError) {
    self.loop = loop
    self.descriptor = descriptor
    do throws(ProcessError) {
      try loop.watch(descriptor, for: self.interest) { [weak self] ready in self?.happened(ready) }
    } catch {
      self.stage = .closed
      Glibc.close(descriptor.rawValue)
      throw error
    }
  }

  deinit { if self.stage != .closed { Glibc.close(self.descriptor.rawValue) } }

  /// Closes the connection by force at this instant; nil for never.
  package func limit(to deadline: MonotonicInstant?) {
    self.deadline = deadline
    guard let deadline else { return }
    if let timer = self.timer {
      guard let armedFor = self.armedFor, deadline < armedFor else { return }
      self.loop.cancel(timer)
    }
    self.arm(deadline)
  }

  private func arm(_ instant: MonotonicInstant) {
    self.armedFor = instant
    self.timer = self.loop.schedule(at: instant) { [weak self] in
      guard let self else { return }
      self.timer = nil
      guard let deadline = self.deadline else { return }
      // It has been moved meanwhile: one timer is enough for a connection that is used often.
      if self.loop.now < deadline { return self.arm(deadline) }
      self.abort()
    }
  }

  /// Sends the bytes, now or as soon as the other side takes them.
  package func send(_ bytes: [UInt8]) {
    guard self.stage == .open else { return }
    if self.backlog == 0 {
      self.unsent = bytes
      self.sent = 0
    } else {
      self.unsent += bytes
    }
    self.flush()
  }

  /// Closes once everything is sent and the other side has closed, or a second after all is sent.
  package func finish() {
    guard self.stage == .open else { return }
    self.stage = .finishing
    if self.backlog == 0 { self.sayFarewell() }
    self.updateInterest()
  }

  private func sayFarewell() {
    shutdown(self.descriptor.rawValue, Int32(SHUT_WR))
    self.limit(to: self.loop.now.advanced(by: Self.farewell))
  }

  /// Closes now, without leaving TIME_WAIT on the port.
  package func abort() {
    guard self.stage != .closed else { return }
    SocketEndpoints.resetOnClose(self.descriptor)
    self.close()
  }

  private func close() {
    guard self.stage != .closed else { return }
    self.stage = .closed
    if let timer = self.timer { self.loop.cancel(timer) }
    self.timer = nil
    self.loop.unwatch(self.descriptor)
    Glibc.close(self.descriptor.rawValue)
    self.unsent = []
    self.sent = 0
    let handler = self.whenClosed
    (self.whenReceived, self.whenEnded, self.whenSent, self.whenClosed) = (nil, nil, nil, nil)
    handler?()
  }

  private func updateInterest() {
    guard self.stage != .closed else { return }
    var wanted: EventLoop.Interest = []
    if self.isReading || (self.stage == .finishing && self.backlog == 0) { wanted.insert(.readable) }
    if self.backlog > 0 { wanted.insert(.writable) }
    guard wanted != self.interest else { return }
    self.interest = wanted
    do throws(ProcessError) {
      try self.loop.rewatch(self.descriptor, for: wanted)
    } catch {
      self.abort()
    }
  }

  private func happened(_ ready: EventLoop.Interest) {
    if self.backlog > 0 { self.flush() }
    guard self.stage != .closed else { return }
    if self.interest.contains(.readable) { return self.read() }
    // The other side is gone while nothing is read. A wake-up meant for an earlier owner of the number
    // shows nothing.
    guard !ready.isDisjoint(with: [.error, .hangUp]) else { return }
    var byte: UInt8 = 0
    let count = recv(self.descriptor.rawValue, &byte, 1, Int32(MSG_PEEK))
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    self.abort()
  }

  private func flush() {
    while self.backlog > 0 {
      let count = self.unsent[self.sent...].withUnsafeBytes {
        Glibc.send(self.descriptor.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { break }
        return self.abort()
      }
      self.sent += count
    }
    if self.backlog == 0 {
      self.unsent = []
      self.sent = 0
      if self.stage == .finishing { self.sayFarewell() }
    }
    self.updateInterest()
    if self.backlog == 0, self.stage == .open { self.whenSent?() }
  }

  private func read() {
    var chunk = [UInt8](repeating: 0, count: Self.chunkSize)
    let count = recv(self.descriptor.rawValue, &chunk, chunk.count, 0)
    if count < 0 {
      if errno == EAGAIN || errno == EINTR { return }
      return self.abort()
    }
    guard self.stage == .open else {
      // What comes after our end is of no interest.
      if count == 0 { self.close() }
      return
    }
    if count > 0 { self.whenReceived?(Array(chunk[..<count])) } else { self.whenEnded?() }
  }
}
