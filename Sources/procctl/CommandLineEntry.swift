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

  /// One line: what is wrong, and where to read on.
  private static func explanation(of error: any Error, in options: [String]) -> String {
    let verbs = ProcctlCommand.configuration.subcommands.compactMap { $0.configuration.commandName }
    let text = ProcctlCommand.message(for: error).split(separator: "\n").joined(separator: " ")
    guard let verb = options.first, verbs.contains(verb) else {
      if let word = options.first, !word.hasPrefix("-") {
        let near = Spelling.nearest(to: word, among: verbs).map { ", did you mean \"\($0)\"?" } ?? ""
        return "there is no verb \"\(word)\"\(near) (see procctl --help)"
      }
      return "\(text) (see procctl --help)"
    }
    return "\(verb): \(text) (see procctl \(verb) --help)"
  }
}
