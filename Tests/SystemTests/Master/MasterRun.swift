import Glibc
import Testing

/// A worker in a master's configuration.
struct TestWorker {
  var name: String
  var command: [String]
  var port: UInt16?
  var ready: String? = "none"
  /// Further lines of its table, in TOML.
  var lines: [String] = []

  /// - Parameter actions: Of test-workload.
  init(_ name: String, _ actions: [Bytes], port: UInt16? = nil, ready: String? = "none", _ lines: String...) {
    self.name = name
    self.command = [Programs.workload] + actions.map { String(decoding: $0.bytes, as: UTF8.self) }
    self.port = port
    self.ready = ready
    self.lines = lines
  }

  var table: String {
    var table = ["[workers.\(self.name)]"]
    table.append("command = [\(self.command.map(Self.quoted).joined(separator: ", "))]")
    if let port = self.port { table.append("port = \(port)") }
    if let ready = self.ready { table.append("ready = \"\(ready)\"") }
    return (table + self.lines).joined(separator: "\n")
  }

  /// A basic string of TOML.
  private static func quoted(_ text: String) -> String {
    let characters = text.unicodeScalars.map { scalar -> String in
      switch scalar {
      case "\"", "\\": "\\\(scalar)"
      case "\n": "\\n"
      default: "\(scalar)"
      }
    }
    return "\"\(characters.joined())\""
  }
}

/// Actions of test-workload: a deaf daemon in a session of its own, without its parent and without the
/// environment that says whose it is. It says `daemon`.
func unmarkedDaemon(_ fifo: Announcements) -> [Bytes] {
  [
    "daemonize", "exec", "/usr/bin/env", "-i", Bytes(Programs.workload), "ignore", "TERM", "tell",
    Bytes(fifo.path), "daemon", "hold", "end",
  ]
}

/// `procctl run` with a configuration of a test's, and its log.
///
/// Used by one task at a time.
final class MasterRun: @unchecked Sendable {
  /// A stop takes less if it waits for nobody, however busy the machine; whoever waits in vain waits longer.
  static let soon = Duration.seconds(8)

  let process: TestProcess
  let log: Capture
  /// How far the log has been read by ``expect(_:within:)``.
  private var position = 0

  /// - Parameter preamble: What comes before the workers' tables.
  init(
    _ session: TestSession, preamble: String = "", _ workers: [TestWorker], prelude: [Bytes] = [],
    program: String = Programs.procctl, faults: FaultPlan? = nil
  ) throws {
    let text = ([preamble] + workers.map(\.table)).joined(separator: "\n\n") + "\n"
    let file = try session.write(text, to: "procctl.toml")
    var launch = Launch(program, ["run", Bytes(file)])
    launch.prelude = prelude
    if let faults { launch.environment = faults.environment }
    self.process = try session.start(launch)
    self.log = try #require(self.process.errors)
  }

  var pid: pid_t { self.process.pid }

  /// Reads the log on until it holds the text, after what was expected last.
  func expect(_ text: String, within limit: Duration = .seconds(15)) async throws {
    self.position = try await self.log.expect(text, from: self.position, within: limit)
  }

  /// Whether the log holds the text within this time: for what must not happen.
  func says(_ text: String, within limit: Duration) async -> Bool {
    do {
      try await self.log.expect(text, from: self.position, within: limit)
      return true
    } catch {
      return false
    }
  }

  func allReady() async throws { try await self.expect("all workers are ready") }

  /// All it has said until now.
  var said: String {
    self.log.take()
    return self.log.text
  }

  /// Sends TERM and waits for the end.
  func stop(within limit: Duration = .seconds(30)) async throws -> (
    result: TestProcess.Result, took: Duration
  ) {
    let stopwatch = Stopwatch()
    self.process.send(SIGTERM)
    let result = try await self.process.end(within: limit)
    return (result, stopwatch.elapsed)
  }

  /// The processes it has started and not reaped.
  var children: [ObservedProcess] { ProcTable.children(of: self.pid) }
}

/// How workers can be kept together here.
enum Containment: String, CaseIterable, CustomTestStringConvertible {
  case session
  case cgroup
  case guardian = "guard"
  case pidNamespace = "pid-namespace"

  /// cgroup only where there can be one: in CI that must be so, which another test sees to.
  static let possible: [Containment] = allCases.filter { $0 != .cgroup || TestCgroup.parent != nil }

  /// Those in which a process has the number for itself that it has for the test.
  static let sharingNumbers: [Containment] = possible.filter { $0 != .pidNamespace }

  /// Those in which workers stay when the master is shot, without a systemd above.
  static let outlivingMaster: [Containment] = possible.filter { !tiedToMaster.contains($0) }

  /// Those in which nothing of a worker outlives its master, however that dies.
  static let tiedToMaster: [Containment] = [.guardian, .pidNamespace]

  var line: String { "contain = \"\(self.rawValue)\"" }
  var testDescription: String { self.rawValue }
}

extension TestSession {
  /// The number a process of this test has for us that has announced itself by its own: in a pid
  /// namespace that is another one (proc(5), NSpid), and ours may be an innocent's.
  func outside(_ announced: pid_t, _ containment: Containment) throws -> pid_t {
    guard let own = self.outside([announced], containment).first else {
      throw WaitError("nobody is \(announced) in a namespace of this test")
    }
    return own
  }

  /// The same for many; whoever has ended meanwhile is left out.
  func outside(_ announced: [pid_t], _ containment: Containment) -> [pid_t] {
    guard containment == .pidNamespace else { return announced }
    var own: [Substring: pid_t] = [:]
    for member in self.members() {
      let status = ProcTable.status(member.pid, "NSpid") ?? ""
      let numbers = status.split(whereSeparator: \.isWhitespace)
      if numbers.count > 1, let inner = numbers.last { own[inner] = member.pid }
    }
    return announced.compactMap { own["\($0)"] }
  }
}
