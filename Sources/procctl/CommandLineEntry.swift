internal import ArgumentParser
internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import Supervision

/// A verb of the command line. It does its work and says how it went as an exit status.
protocol Verb: ParsableCommand {
  func execute(command: [ByteString]?) -> Int32
}

/// The one place where a command line becomes a verb, and whatever went wrong an exit status.
enum CommandLineEntry {
  static func execute(_ line: CommandLineBytes) -> Int32 {
    if let argument = line.undecodable {
      Message.error("an option is not valid UTF-8: \(argument.printable)")
      return ExitStatus.usage
    }
    if let objection = self.objection(to: line.options) {
      Message.error(objection)
      return ExitStatus.usage
    }
    do {
      let parsed = try ProcctlCommand.parseAsRoot(line.options)
      guard let verb = parsed as? any Verb else {
        // The bare command, help or version.
        var parsed = parsed
        try parsed.run()
        return 0
      }
      return verb.execute(command: line.command)
    } catch {
      if line.options.first == "spawn", line.command == nil, !line.asksForHelp {
        Message.error(SpawnCommand.missingCommand)
        return ExitStatus.usage
      }
      let status = ProcctlCommand.exitCode(for: error).rawValue
      if status == 0 {
        print(ProcctlCommand.fullMessage(for: error))
      } else {
        Message.error(self.explanation(of: error, in: line.options))
      }
      return status
    }
  }

  private static let verbs =
    ProcctlCommand.configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]

  /// What the parser would not mind: it shows its help to whoever asks for help with what there is not.
  private static func objection(to options: [String]) -> String? {
    guard let first = options.first, !first.hasPrefix("-") else { return nil }
    guard first == "help" else { return self.verbs.contains(first) ? nil : self.unknown(verb: first) }
    let words = options.dropFirst().filter { !$0.hasPrefix("-") }
    if let verb = words.first, !self.verbs.contains(verb) { return self.unknown(verb: verb) }
    return words.count < 2 ? nil : "help: Unexpected argument '\(words[1])' (see procctl --help)"
  }

  private static func unknown(verb: String) -> String {
    let near = Spelling.nearest(to: verb, among: self.verbs).map { ", did you mean \"\($0)\"?" } ?? ""
    let shown = PrintableText.escaping(verb.utf8)
    return "there is no verb \"\(shown)\"\(near) (see procctl --help)"
  }

  /// One line: what is wrong, and where to read on.
  private static func explanation(of error: any Error, in options: [String]) -> String {
    let text = ProcctlCommand.message(for: error).split(separator: "\n").joined(separator: " ")
    guard let verb = options.first, self.verbs.contains(verb) else {
      return "\(text) (see procctl --help)"
    }
    return "\(verb): \(text) (see procctl \(verb) --help)"
  }
}
