internal import CProcCtlChild
internal import ProcCtl

/// The command line. For `spawn` it is split at the first `--`: options of ours
/// as text, and the command to run as the bytes it was given in.
struct CommandLineBytes {
  var options: [String]
  /// What follows `--`; nil without one.
  var command: [ByteString]?
  /// An option of ours that is not UTF-8.
  var undecodable: ByteString?

  var asksForHelp: Bool { ["-h", "--help", "--version"].contains { self.options.contains($0) } }

  static func current() -> CommandLineBytes {
    var arguments: [ByteString] = []
    for index in 0..<procctl_argument_count() {
      if let pointer = procctl_argument(index) { arguments.append(ByteString(cString: pointer)) }
    }
    return CommandLineBytes(arguments: arguments.dropFirst())
  }

  init(arguments: some Sequence<ByteString>) {
    self.options = []
    for argument in arguments {
      if self.command != nil {
        self.command?.append(argument)
      } else if argument == "--", self.options.first == "spawn" {
        self.command = []
      } else {
        if String(validating: argument.bytes, as: UTF8.self) == nil { self.undecodable = argument }
        self.options.append(argument.description)
      }
    }
  }
}
