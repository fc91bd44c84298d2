internal import ArgumentParser
internal import CProcCtl
internal import Glibc
internal import ProcCtl

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
      let text = ProcctlCommand.fullMessage(for: error)
      if status == 0 { print(text) } else { Message.write(text + "\n") }
      return status
    }
  }
}
