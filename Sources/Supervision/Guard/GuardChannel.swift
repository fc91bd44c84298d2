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
  /// The number, in the guard, of the file that holds its command's ``HandedEnvironment``.
  static let environmentInGuard = FileDescriptor(rawValue: 4)
  /// Longer lines are no events.
  private static let longestLine = 1 << 16

  private let own: FileDescriptor
  private var guards: FileDescriptor?
  private var environment: FileDescriptor?
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

  /// What the guard gets: its end, and the command's environment.
  ///
  /// - Throws: `ProcessError` with code `.contain`.
  package func descriptors(
    handing environment: Environment
  ) throws(ProcessError) -> [Command.PassedDescriptor] {
    guard let guards = self.guards else {
      throw ProcessError(.contain, doing: "spawn a second guard with one channel")
    }
    let file = try HandedEnvironment.write(environment)
    self.environment = file
    return [
      Command.PassedDescriptor(source: guards, target: GuardChannel.descriptorInGuard),
      Command.PassedDescriptor(source: file, target: GuardChannel.environmentInGuard),
    ]
  }

  /// Lets go of what is the guard's, so that its death is seen as the end of the stream.
  package func guardWasSpawned() {
    if let guards = self.guards { Glibc.close(guards.rawValue) }
    self.guards = nil
    if let environment = self.environment { Glibc.close(environment.rawValue) }
    self.environment = nil
  }

  package func drain() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    // What is told may end this very start, and close us.
    while self.isOpen {
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
