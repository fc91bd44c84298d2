internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Reads what a child writes into a pipe, up to a limit.
///
/// Everything after ``start(on:whenFull:)`` is confined to the loop's thread,
/// hence unchecked Sendable.
final class OutputReader: @unchecked Sendable {
  private let pipe: Pipe
  private let limit: Int
  private var content: [UInt8] = []
  private var isOpen = true
  private var whenFull: (() -> Void)?
  private(set) var isFull = false

  init(limit: Int) throws(ProcessError) {
    self.pipe = try Pipe()
    self.limit = limit
    _ = cprocctl_fcntl(self.pipe.readEnd.rawValue, F_SETFL, O_NONBLOCK)
  }

  var writeEnd: FileDescriptor { self.pipe.writeEnd }

  func closeWriteEnd() {
    close(self.pipe.writeEnd.rawValue)
  }

  func closeBoth() {
    self.closeWriteEnd()
    close(self.pipe.readEnd.rawValue)
  }

  func start(on loop: EventLoop, whenFull: @escaping () -> Void) {
    self.whenFull = whenFull
    // Without a watch, what is in the pipe is still read at the end.
    try? loop.watch(self.pipe.readEnd, for: .readable) { [self] _ in
      if !self.readAvailable() { loop.unwatch(self.pipe.readEnd) }
    }
  }

  /// Takes what is still in the pipe, closes it, and returns everything.
  func finish(on loop: EventLoop) -> [UInt8] {
    loop.unwatch(self.pipe.readEnd)
    while self.isOpen, self.readAvailable() {}
    close(self.pipe.readEnd.rawValue)
    return self.content
  }

  /// False when there is nothing more to come, now or ever.
  private func readAvailable() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    let count = read(self.pipe.readEnd.rawValue, &chunk, chunk.count)
    if count < 0 && errno == EINTR { return true }
    guard count > 0 else {
      if count == 0 { self.isOpen = false }
      return false
    }
    let room = self.limit - self.content.count
    self.content += chunk.prefix(min(count, room))
    if count > room, !self.isFull {
      self.isFull = true
      self.whenFull?()
    }
    return true
  }
}
