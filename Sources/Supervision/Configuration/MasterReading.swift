internal import ProcCtl
internal import SystemPackage

extension ConfigurationReader {
  /// Reads a whole document. What is returned is to be used only if there are no problems.
  mutating func masterConfiguration(_ document: TOMLNode) -> MasterConfiguration {
    let root = self.admit(document, keys: ConfigurationKey.root)
    let (shutdown, workersFrom) = self.shutdownTimeouts(in: root)
    var configuration = MasterConfiguration(shutdown: shutdown, workers: [])
    configuration.forceForeign = self.forceForeign(in: root)
    self.readMaster(in: root, into: &configuration)

    var roster = WorkerRoster()
    if let workers = self.table("workers", in: root, mustBe: "a table with a table for each worker") {
      for (name, node) in workers.members {
        guard case .table = node.value else {
          self.report(node.line, "worker \(self.quoted(name)) must be a table, not \(node.kind)")
          continue
        }
        self.readWorker(name, node, shutdown: shutdown, workersFrom: workersFrom, into: &roster)
      }
    }
    if let node = self.table("repositories", in: root) {
      self.readRepositories(node, shutdown: shutdown, workersFrom: workersFrom, into: &roster)
    }
    configuration.workers = roster.workers
    configuration.accountPlaces.workers = roster.accountPlaces
    self.refuseSharedPort(of: configuration, in: root)
    self.refuseTakenLogs(configuration, in: root)
    configuration.cleanups = self.cleanups(in: root, timeout: shutdown.cleanup)
    if configuration.workers.isEmpty, self.problems.isEmpty {
      self.problems.append(
        ConfigurationError.Problem(
          file: self.fileName, message: "there are no workers: add a table [workers.NAME] with a \"command\"")
      )
    }
    return configuration
  }

  private mutating func readMaster(in root: TOMLNode, into configuration: inout MasterConfiguration) {
    guard let node = self.table("master", in: root) else { return }
    let table = self.admit(node, keys: ConfigurationKey.master, place: "master")
    configuration.control = self.path("control", in: table)
    // The limit of sockaddr_un (unix(7)), without the zero at its end.
    if let control = configuration.control, control.string.utf8.count > 107, let line = table["control"]?.line
    {
      self.report(line, "\"control\" is longer than the 107 bytes a socket's path can have: \(control)")
    }
    configuration.health = self.string(
      "health", in: table, mustBe: "ADDRESS:PORT or unix:/PATH", as: HealthAddress.init)
    configuration.logDirectory = self.path("log-directory", in: table)
    configuration.logFormat = self.choice("log-format", in: table) ?? .text
    if let size = self.byteCount("log-size", in: table) { configuration.logSize = size }
    if let keep = self.integer("log-keep", in: table, range: 0...99) { configuration.logKeep = keep }
    configuration.user = self.account("user", in: table)
    configuration.group = self.account("group", in: table)
    configuration.accountPlaces.master = table["user"].map { "\(self.fileName):\($0.line)" }
    if configuration.user == nil, let line = table["group"]?.line, table["user"] == nil {
      self.report(line, "\"group\" of [master] needs \"user\"")
    }
  }

  private mutating func refuseSharedPort(of configuration: MasterConfiguration, in root: TOMLNode) {
    guard let port = configuration.health?.port, let line = root["master"]?["health"]?.line,
      let worker = configuration.workers.first(where: { $0.port == port })
    else { return }
    self.report(line, "port \(port) of \"health\" is already taken by worker \"\(worker.name)\"")
  }

  private mutating func readWorker(
    _ name: String, _ node: TOMLNode, shutdown: ShutdownTimeouts, workersFrom: TimeoutSource,
    into roster: inout WorkerRoster
  ) {
    if !WorkerRoster.isName(name) {
      self.report(node.line, "worker name \(self.quoted(name)) \(WorkerRoster.nameRule)")
    }
    let settings = self.workerSettings(
      node, shutdown: shutdown, workersFrom: workersFrom, forRepositories: false)
    if node["command"] == nil { self.report(node.line, "worker \(self.quoted(name)) has no \"command\"") }
    let port = self.integer("port", in: node, range: 1...65535).flatMap { UInt16(exactly: $0) }
    if node["port"] == nil {
      for need in settings.needsPort { self.report(need.line, "\(need.what) needs a \"port\"") }
    }
    var values: [PlaceholderText.Placeholder: String] = [.name: name]
    values[.port] = port.map { "\($0)" }
    let worker = settings.worker(
      name: name, port: port, values: values, shutdown: shutdown, in: self.directory)
    if let problem = worker.socketProblem { self.report(node["stop"]?.line ?? node.line, problem) }
    let line = node["port"]?.line ?? node.line
    if let conflict = roster.add(worker, at: "\(self.fileName):\(line)") { self.report(line, conflict) }
    roster.accountPlaces[name] = self.accountPlace(in: node)
  }

  private mutating func readRepositories(
    _ node: TOMLNode, shutdown: ShutdownTimeouts, workersFrom: TimeoutSource, into roster: inout WorkerRoster
  ) {
    let settings = self.workerSettings(
      node, shutdown: shutdown, workersFrom: workersFrom, forRepositories: true)
    if node["command"] == nil { self.report(node.line, "[repositories] has no \"command\"") }
    guard let line = node["file"]?.line else {
      self.report(node.line, "[repositories] has no \"file\"")
      return
    }
    guard let path = self.path("file", in: node) else { return }
    let text: String
    do throws(ConfigurationError) {
      text = try ConfigurationFile.text(of: path)
    } catch {
      self.problems += error.problems.map { problem in
        var problem = problem
        if problem.line == nil {
          problem = .init(file: self.fileName, line: line, message: "cannot read \(path): \(problem.message)")
        }
        return problem
      }
      return
    }
    let file = RepositoryFile(text: text, fileName: path.string, reader: self)
    self.problems += file.problems
    for entry in file.entries {
      self.add(entry, of: path.string, with: settings, shutdown: shutdown, to: &roster)
      roster.accountPlaces[entry.name] = self.accountPlace(in: node)
    }
  }

  private mutating func add(
    _ entry: RepositoryFile.Entry, of file: String, with settings: WorkerSettings, shutdown: ShutdownTimeouts,
    to roster: inout WorkerRoster
  ) {
    var messages: [String] = []
    if !WorkerRoster.isName(entry.name) { messages.append("the name \(WorkerRoster.nameRule)") }
    if !entry.hasPort, let need = settings.needsPort.first {
      messages.append("has no \"port\", but \(need.what) (\(self.fileName):\(need.line)) needs one")
    }
    let path = self.absolute(FilePath(entry.path)).string
    var values: [PlaceholderText.Placeholder: String] = [.name: entry.name, .path: path]
    values[.port] = entry.port.map { "\($0)" }
    let worker = settings.worker(
      name: entry.name, port: entry.port, values: values, shutdown: shutdown, in: self.directory)
    if let conflict = roster.add(worker, at: "\(file):\(entry.line)") { messages.append(conflict) }
    if let problem = worker.socketProblem { messages.append(problem) }
    for message in messages {
      self.problems.append(
        .init(file: file, line: entry.line, message: "repository \(self.quoted(entry.name)): \(message)"))
    }
  }

  private func accountPlace(in table: TOMLNode) -> String? {
    (table["user"] ?? table["group"]).map { "\(self.fileName):\($0.line)" }
  }

  private mutating func cleanups(in root: TOMLNode, timeout: Duration) -> [CleanupCommand] {
    var cleanups: [CleanupCommand] = []
    for node in self.tables("cleanups", in: root, mustBe: "an array of tables, [[cleanups]]") ?? [] {
      let table = self.admit(node, keys: ConfigurationKey.cleanup, place: "cleanups")
      let name = self.string("name", in: table, mustBe: "a name") { $0.isEmpty ? nil : $0 }
      if table["name"] == nil { self.report(node.line, "the cleanup has no \"name\"") }
      let command = self.command("command", in: table)
      if table["command"] == nil { self.report(node.line, "the cleanup has no \"command\"") }
      let ownTimeout = self.duration("timeout", in: table)
      guard let name, let command else { continue }
      if cleanups.contains(where: { $0.name == name }) {
        self.report(table["name"]?.line ?? node.line, "there is a cleanup \(self.quoted(name)) already")
      }
      var words = command.map(\.text)
      if let program = words.first { words[0] = ProgramPath.absolute(program, from: self.directory) }
      cleanups.append(CleanupCommand(name: name, command: words, timeout: ownTimeout ?? timeout))
    }
    return cleanups
  }
}

/// The workers read so far, each name and each port once.
struct WorkerRoster {
  private(set) var workers: [WorkerDefinition] = []
  /// Where each says as whom it runs.
  var accountPlaces: [String: String] = [:]
  private var places: [String: String] = [:]
  private var ports: [UInt16: String] = [:]

  static let nameRule = "must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and not begin with \"-\""

  /// Whether the name can be used for a worker: in file names, control groups and commands.
  static func isName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && !name.hasPrefix("-") && name != "." && name != ".."
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
      }
  }

  /// Adds a worker.
  ///
  /// - Returns: what it conflicts with; nil if all is well.
  mutating func add(_ worker: WorkerDefinition, at place: String) -> String? {
    var conflict: String?
    if let other = self.places[worker.name] {
      conflict = "there is a worker \"\(worker.name)\" already (\(other))"
    } else if let port = worker.port, let other = self.ports[port] {
      conflict = "port \(port) is already taken by worker \"\(other)\" (\(self.places[other] ?? ""))"
    }
    if self.places[worker.name] == nil { self.places[worker.name] = place }
    if let port = worker.port, self.ports[port] == nil { self.ports[port] = worker.name }
    self.workers.append(worker)
    return conflict
  }
}
