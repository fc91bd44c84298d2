internal import CProcCtl
internal import FoundationEssentials
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// Starts a supervisor that outlives us: this same program again, in a session
/// of its own, without our descriptors.
enum DetachedSpawn {
  private struct FirstLine: Decodable {
    var event: String
    var pid: Int32
  }

  /// Returns once the command runs, having printed `NAME PID` (the supervisor's),
  /// or with the status the supervisor failed with.
  static func start(options: SpawnCommand, words: [ByteString]) throws(ProcessError) -> Int32 {
    let pipe = try Pipe()
    defer { close(pipe.readEnd.rawValue) }
    let name = if let given = options.name { given } else { try self.unusedName(for: words) }

    // The supervisor's own descriptor for events, above the standard three.
    let events: Int32 = 3
    var supervisor = Command(
      .path("/proc/self/exe"),
      arguments: [
        "spawn", "--detached-supervisor", "--name", ByteString(name), "--status-fd", ByteString("\(events)"),
      ]
        + self.forwardedOptions() + ["--"] + words)
    supervisor.argumentZero = "procctl"
    supervisor.standardInput = .null
    supervisor.standardOutput = StandardDescriptors.isFile(1) ? .inherited : .null
    supervisor.standardError = .inherited
    supervisor.passedDescriptors = [
      Command.PassedDescriptor(
        source: pipe.writeEnd, target: FileDescriptor(rawValue: events))
    ]
    let kernel = LinuxKernel()
    let identity: ProcessIdentity
    do throws(ProcessError) {
      identity = try kernel.spawn(supervisor)
    } catch {
      close(pipe.writeEnd.rawValue)
      throw error
    }
    close(pipe.writeEnd.rawValue)

    let line = self.firstLine(from: pipe.readEnd.rawValue)
    if let first = try? JSONDecoder().decode(FirstLine.self, from: Data(line)), first.event == "started" {
      Message.write("\(name) \(identity.processIdentifier)\n", to: 1)
      return ExitStatus.success
    }
    // It has said why on standard error, and ends.
    var status: Int32 = 0
    var waited: pid_t
    repeat {
      waited = waitpid(identity.processIdentifier.value, &status, 0)
    } while waited < 0 && errno == EINTR
    return waited == identity.processIdentifier.value ? self.exitStatus(status) : ExitStatus.failed
  }

  private static func exitStatus(_ status: Int32) -> Int32 {
    status & 0x7f == 0 ? (status >> 8) & 0xff : ExitStatus.failed
  }

  private static func unusedName(for words: [ByteString]) throws(ProcessError) -> String {
    let program = words[0].description.split(separator: "/").last.map(String.init) ?? "command"
    let base = SpawnRegistry.isValid(name: program) ? String(program.prefix(48)) : "command"
    // Ours is nobody else's number while we run, so two at the same time do not collide.
    var number = getpid()
    while try SpawnRegistry.find(name: "\(base)-\(number)") != nil { number += 1 }
    return "\(base)-\(number)"
  }

  /// Our own options as they were given, without those that detaching settles.
  private static func forwardedOptions() -> [ByteString] {
    var forwarded: [ByteString] = []
    var skipNext = false
    for option in CommandLineBytes.current().options.drop(while: { $0 == "spawn" }) {
      if skipNext {
        skipNext = false
      } else if option == "--name" || option == "--status-fd" {
        skipNext = true
      } else if option != "--detach", !option.hasPrefix("--name="), !option.hasPrefix("--status-fd=") {
        forwarded.append(ByteString(option))
      }
    }
    return forwarded
  }

  private static func firstLine(from descriptor: Int32) -> [UInt8] {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while line.count < 4096 {
      let count = read(descriptor, &byte, 1)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 || byte == UInt8(ascii: "\n") { break }
      line.append(byte)
    }
    return line
  }
}
