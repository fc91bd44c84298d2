internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import Supervision

/// What procctl itself has to say goes to standard error, a line each; standard
/// output belongs to the command.
enum Message {
  static func error(_ text: String) {
    self.write(PrintableText.lines("procctl: \(text)\n"))
  }

  /// What is wrong with a configuration, a line each.
  static func error(_ error: ConfigurationError) {
    self.write(PrintableText.lines("\(error)\n"))
  }

  static func write(_ text: String) {
    self.write(text, to: 2)
  }

  /// How long a message may wait to be read. The command may have filled a pipe that nobody
  /// reads, and what is to end must not be held up by having something to say.
  private static let patienceMilliseconds: Int32 = 5000

  static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      var part = bytes
      if descriptor == 2 {
        // A pipe that can be written to takes this much at once (pipe(7), poll(2)).
        part = bytes.prefix(Int(PIPE_BUF))
        var watch = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let ready = poll(&watch, 1, Self.patienceMilliseconds)
        if ready < 0 && errno == EINTR { continue }
        if ready == 0 { return }
      }
      let written = part.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 {
        if errno == EINTR { continue }
        return
      }
      bytes = bytes.dropFirst(written)
    }
  }
}
