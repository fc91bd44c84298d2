internal import CProcCtl
internal import Glibc
package import ProcCtl
internal import SystemPackage

/// The socket pair between a guard and whoever it guards for: the guard writes its
/// events to one end, and takes the end of the other, even by SIGKILL, for a command
/// to leave nothing behind.
///
/// Confined to the loop's thread.
package final class GuardChannel: WorkerGuard {
  /// The number of the guard's end in the guard.
  static let descriptorInGuard = FileDescriptor(rawValue: 3)
  /// Longer lines are no events.
  private static let longestLine = 1 << 16

  private let own: FileDescriptor
  private var guards: FileDescriptor?
  private let loop: EventLoop
  private var isWatched = false
  private var isOpen = true
  private var unfinished: [UInt8] = []
  package var whenTold: ((GuardEvent) -> Void)?

  /// - Throws: `ProcessError` with code `.contain`.
  package init(on loop: EventLoop) throws(ProcessError) {
    var ends: [Int32] = [-1, -1]
    guard cprocctl_socket_pair(&ends) == 0 else {
      throw ProcessError(
        .contain, doing: "make a socket pair for a guard", underlyingError: Errno(rawValue: errno))
    }
    self.own = FileDescriptor(rawValue: ends[0])
    self.guards = FileDescriptor(rawValue: ends[1])
    self.loop = loop
    do throws(ProcessError) {
      try loop.watch(self.own, for: .readable) { [unowned self] _ in self.drain() }
      self.isWatched = true
    } catch {
      self.close()
      throw error
    }
  }

  /// What the guard gets; nil once it was let go of.
  package var passedDescriptor: Command.PassedDescriptor? {
    self.guards.map { Command.PassedDescriptor(source: $0, target: GuardChannel.descriptorInGuard) }
  }

  /// Lets go of the guard's end, so that its death is seen as the end of the stream.
  package func guardWasSpawned() {
    if let guards = self.guards { Glibc.close(guards.rawValue) }
    self.guards = nil
  }

  package func drain() {
    guard self.isOpen else { return }
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(self.own.rawValue, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0, errno == EINTR { continue }
      if count > 0 {
        self.take(buffer[..<count])
        continue
      }
      // At its end the descriptor would be ready for ever.
      if count == 0 || errno != EAGAIN { self.unwatch() }
      return
    }
  }

  private func take(_ bytes: ArraySlice<UInt8>) {
    for byte in bytes {
      guard byte == UInt8(ascii: "\n") else {
        if self.unfinished.count < GuardChannel.longestLine { self.unfinished.append(byte) }
        continue
      }
      let line = self.unfinished
      self.unfinished.removeAll()
      if let event = GuardEvent(line: line) { self.whenTold?(event) }
    }
  }

  private func unwatch() {
    if self.isWatched { self.loop.unwatch(self.own) }
    self.isWatched = false
  }

  package func close() {
    guard self.isOpen else { return }
    self.isOpen = false
    self.whenTold = nil
    self.unwatch()
    self.guardWasSpawned()
    Glibc.close(self.own.rawValue)
  }

  deinit {
    self.close()
  }
}
