import CProcCtl
import Glibc

/// A fifo in which `test-workload tell FIFO WORD` says that it has come so far.
///
/// Used by one task at a time.
final class Announcements: @unchecked Sendable {
  let path: String
  private let descriptor: Int32
  private var pending: [UInt8] = []
  private var heard: [(word: String, pid: pid_t)] = []

  init(path: String) throws {
    self.path = path
    guard mkfifo(path, 0o666) == 0, chmod(path, 0o666) == 0 else {
      throw WaitError("mkfifo \(path): \(errno)")
    }
    // For reading and writing: so it is never at its end, and opening does not wait (fifo(7)).
    self.descriptor = Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    guard self.descriptor >= 0 else { throw WaitError("open \(path): \(errno)") }
  }

  deinit { close(self.descriptor) }

  /// Waits for each of the words, in any order, and returns who said them.
  @discardableResult
  func expect(_ words: String..., within limit: Duration = .seconds(10)) async throws -> [String: pid_t] {
    let deadline = Deadline(in: limit)
    var said: [String: pid_t] = [:]
    for word in words { said[word] = try await self.next(word, by: deadline) }
    return said
  }

  /// Waits for this many that say the word.
  func expect(_ count: Int, of word: String, within limit: Duration = .seconds(10)) async throws -> [pid_t] {
    let deadline = Deadline(in: limit)
    var pids: [pid_t] = []
    while pids.count < count { pids.append(try await self.next(word, by: deadline)) }
    return pids
  }

  /// Lets through a program that is at `test-workload await FIFO`, now or later: one for each call.
  func open() throws {
    guard Glibc.write(self.descriptor, "\n", 1) == 1 else { throw WaitError("write \(self.path): \(errno)") }
  }

  /// What has been said and not been expected yet.
  func rest() -> [String] {
    self.take()
    return self.heard.map(\.word)
  }

  private func next(_ word: String, by deadline: Deadline) async throws -> pid_t {
    while true {
      self.take()
      if let index = self.heard.firstIndex(where: { $0.word == word }) {
        return self.heard.remove(at: index).pid
      }
      guard try await readable([self.descriptor], by: deadline) else {
        throw WaitError("nobody said \"\(word)\"; said were \(self.heard.map(\.word))")
      }
    }
  }

  private func take() {
    self.pending += readAvailable(self.descriptor).bytes
    while let end = self.pending.firstIndex(of: UInt8(ascii: "\n")) {
      let words = String(decoding: self.pending[..<end], as: UTF8.self).split(separator: " ")
      self.pending.removeSubrange(...end)
      if words.count == 2, let pid = pid_t(words[1]) { self.heard.append((String(words[0]), pid)) }
    }
  }
}

/// Waits until one of the descriptors can be read, or is at its end; false if none was in time.
func readable(_ descriptors: [Int32], by deadline: Deadline) async throws -> Bool {
  try await blocking {
    var watched = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while true {
      let count = poll(&watched, nfds_t(watched.count), deadline.milliseconds)
      if count > 0 { return true }
      if count == 0, deadline.hasPassed { return false }
      if count < 0, errno != EINTR { throw WaitError("poll: \(errno)") }
    }
  }
}

/// Reads what is there from a descriptor that does not block.
func readAvailable(_ descriptor: Int32) -> (bytes: [UInt8], atEnd: Bool) {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    if count > 0 {
      bytes += buffer[..<count]
    } else if count < 0, errno == EINTR {
      continue
    } else {
      // A terminal whose other side is closed reads as EIO.
      return (bytes, count == 0 || errno == EIO)
    }
  }
}
