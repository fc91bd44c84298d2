internal import CProcCtl
internal import Glibc

/// What procctl itself has to say goes to standard error, a line each; standard
/// output belongs to the command.
enum Message {
  static func error(_ text: String) {
    self.write("procctl: \(text)\n")
  }

  static func write(_ text: String) {
    self.write(text, to: 2)
  }

  static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 {
        if errno == EINTR { continue }
        return
      }
      bytes = bytes.dropFirst(written)
    }
  }
}
