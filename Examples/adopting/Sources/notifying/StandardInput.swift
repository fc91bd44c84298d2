import Glibc

/// Lines to answer, for which one can wait with patience that ends.
enum StandardInput {
  enum Turn {
    case line(String)
    case nothing
  }

  /// Returns the next line, or that there was none in this time; nil at the end.
  static func wait(atMost limit: Duration?) -> Turn? {
    var entry = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    let milliseconds = limit.map { Int32(min($0 / .milliseconds(1), 3_600_000)) }
    guard poll(&entry, 1, milliseconds ?? -1) != 0 else { return .nothing }
    return readLine().map { .line($0) }
  }
}
