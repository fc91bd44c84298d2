internal import ProcCtl
internal import SystemPackage

/// What a table says about a worker, or about all the workers of `[repositories]`: everything but
/// the name and the port, and with the defaults that hang on the port still open.
struct WorkerSettings {
  /// The line of the table.
  var line: Int
  var command: [PlaceholderText]?
  var listen = WorkerDefinition.Listen.worker
  var ready: Readiness?
  var preset: WorkerPreset?
  var stop: [StopStep]?
  var restart = WorkerDefinition.Restart.always
  var backoff = WorkerDefinition.Backoff()
  var startTimeout: Duration?
  var check: HealthCheck?
  var directory: PlaceholderText?
  var environment: [String: PlaceholderText] = [:]
  var user: String?
  var group: String?
  var capabilities: [String]?
  var noNewPrivileges = false
  var limits: [ChildSetup.Limit] = []
  var umask: UInt32?
  var nice: Int32?
  var outOfMemoryScore: Int32?
  var contain = ContainmentChoice.automatic
  var hasRuntimeDirectory = false
  var hasTemporaryDirectory = false
  var removesIPC = false

  /// What cannot work without a port, in the user's words, and where it is written.
  var needsPort: [(what: String, line: Int)] = []

  /// The worker of this name.
  ///
  /// - Parameter values: fills the placeholders.
  func worker(
    name: String, port: UInt16?, values: [PlaceholderText.Placeholder: String], shutdown: ShutdownTimeouts,
    in directory: FilePath
  ) -> WorkerDefinition {
    let ready = self.ready ?? WorkerDefinition.defaultReadiness(port: port)
    var worker = WorkerDefinition(
      name: name, command: [], port: port, listen: self.listen, ready: ready,
      stop: self.stop ?? self.preset?.stop(within: shutdown)
        ?? shutdown.defaultStop(withRequest: ready.isHTTP), restart: self.restart,
      backoff: self.backoff, startTimeout: self.startTimeout ?? .seconds(60), check: self.check,
      user: self.user, group: self.group, capabilities: self.capabilities,
      noNewPrivileges: self.noNewPrivileges, limits: self.limits, umask: self.umask, nice: self.nice,
      outOfMemoryScore: self.outOfMemoryScore, contain: self.contain)
    worker.hasRuntimeDirectory = self.hasRuntimeDirectory
    worker.hasTemporaryDirectory = self.hasTemporaryDirectory
    worker.removesIPC = self.removesIPC
    worker.command = (self.command ?? []).map { $0.filling(values) }
    worker.environment = self.environment.mapValues { $0.filling(values) }
    worker.stop = worker.stop.map { $0.filling(values, in: directory) }
    worker.directory = self.directory.map { text in
      let path = FilePath(text.filling(values).description)
      return path.isRelative ? directory.pushing(path) : path
    }
    if let program = worker.command.first, !program.needsDescriptor {
      worker.command[0] = PlaceholderText(
        ProgramPath.absolute(program.description, from: worker.directory ?? directory))
    }
    return worker
  }
}

extension ConfigurationReader {
  /// Reads a worker's table, or `[repositories]` where `path` is one of the placeholders.
  mutating func workerSettings(
    _ node: TOMLNode, shutdown: ShutdownTimeouts, workersFrom: TimeoutSource, forRepositories: Bool
  ) -> WorkerSettings {
    let keys = forRepositories ? ConfigurationKey.repositories : ConfigurationKey.worker
    let table = self.admit(node, keys: keys, place: "workers.*")
    var settings = WorkerSettings(line: node.line)

    settings.listen = self.choice("listen", in: table) ?? .worker
    if settings.listen == .inherit, let line = table["listen"]?.line {
      settings.needsPort.append(("listen = \"inherit\"", line))
    }
    self.readTexts(of: table, forRepositories: forRepositories, into: &settings)
    self.readReadiness(of: table, into: &settings)
    settings.preset = self.preset(in: table)
    if let line = table["stop"]?.line {
      settings.stop = self.stopSteps(
        in: table, shutdown: shutdown, forRepositories: forRepositories, needsPort: &settings.needsPort)
      if let steps = settings.stop, steps.timeBeforeKill > shutdown.workers {
        if workersFrom == .environment {
          settings.stop = steps.fitting(shutdown.workers)
        } else {
          self.report(
            line,
            "the waits of \"stop\" add up to \(steps.timeBeforeKill.text), more than shutdown.workers "
              + "(\(shutdown.workers.text))")
        }
      }
    }
    settings.restart = self.choice("restart", in: table) ?? .always
    settings.backoff = self.backoff(in: table)
    settings.startTimeout = self.duration("start-timeout", in: table)
    self.readRights(of: table, into: &settings)
    settings.contain = self.choice("contain", in: table) ?? .automatic
    settings.hasRuntimeDirectory = self.boolean("runtime-directory", in: table) ?? false
    settings.hasTemporaryDirectory = self.boolean("temporary-directory", in: table) ?? false
    settings.removesIPC = self.boolean("remove-ipc", in: table) ?? false
    if settings.removesIPC, table["user"] == nil, let line = table["remove-ipc"]?.line {
      self.report(line, "\"remove-ipc\" needs a \"user\": what is removed is told by its owner")
    }
    return settings
  }

  private mutating func readTexts(
    of table: TOMLNode, forRepositories: Bool, into settings: inout WorkerSettings
  ) {
    var allowed: Set<PlaceholderText.Placeholder> = [.port, .name]
    if forRepositories { allowed.insert(.path) }
    // A directory is entered before there is a descriptor to name.
    if let text = self.string("directory", in: table, mustBe: "a path", as: { $0.isEmpty ? nil : $0 }),
      let line = table["directory"]?.line
    {
      settings.directory = self.placeholderText(
        text, line: line, allowed: allowed, needsPort: &settings.needsPort)
    }
    if settings.listen == .inherit { allowed.insert(.descriptor) }
    if let command = self.command("command", in: table) {
      settings.command = command.map {
        self.placeholderText($0.text, line: $0.line, allowed: allowed, needsPort: &settings.needsPort)
      }
    }
    guard let environment = self.table("environment", in: table, mustBe: "a table of strings") else { return }
    for (name, node) in environment.members {
      guard case .string(let text) = node.value else {
        self.report(node.line, "variable \(self.quoted(name)) must be a string, not \(node.kind)")
        continue
      }
      if name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) {
        self.report(node.line, "\(self.quoted(name)) cannot be the name of a variable")
        continue
      }
      settings.environment[name] = self.placeholderText(
        text, line: node.line, allowed: allowed, needsPort: &settings.needsPort)
    }
  }

  mutating func placeholderText(
    _ text: String, line: Int, allowed: Set<PlaceholderText.Placeholder>,
    needsPort: inout [(what: String, line: Int)]
  ) -> PlaceholderText {
    do throws(PlaceholderText.Failure) {
      let parsed = try PlaceholderText(parsing: text, allowed: allowed)
      if parsed.uses(.port) { needsPort.append(("\"{port}\"", line)) }
      return parsed
    } catch {
      switch error {
      case .unknown(let name):
        let names = PlaceholderText.Placeholder.allCases.filter(allowed.contains).map { "{\($0.rawValue)}" }
        self.report(
          line, self.unknown("placeholder", "{\(name)}", among: names) + " (\"{{\" stands for \"{\")")
      case .notHere(.descriptor):
        self.report(line, "\"{fd}\" is only for a command with listen = \"inherit\"")
      case .notHere(let placeholder):
        self.report(line, "\"{\(placeholder.rawValue)}\" is only for [repositories]")
      case .unclosed:
        self.report(line, "\"{\" without \"}\" in \(self.quoted(text)) (\"{{\" stands for \"{\")")
      }
      return PlaceholderText(text)
    }
  }

  private mutating func readReadiness(of table: TOMLNode, into settings: inout WorkerSettings) {
    settings.ready = self.string("ready", in: table, mustBe: Readiness.forms, as: Readiness.init(text:))
    if settings.ready?.needsPort == true, let node = table["ready"], case .string(let text) = node.value {
      settings.needsPort.append(("ready = \(self.quoted(text))", node.line))
    }
    guard let node = self.table("check", in: table) else { return }
    let check = self.admit(node, keys: ConfigurationKey.check, place: "workers.*.check")
    let probe = self.string(
      "probe", in: check, mustBe: "\"tcp\", \"http:/PATH\" or \"exec:COMMAND\"",
      as: { text -> Readiness? in
        switch Readiness(text: text) {
        case .tcp, .http, .exec: Readiness(text: text)
        default: nil
        }
      })
    if check["probe"] == nil { self.report(node.line, "\"check\" has no \"probe\"") }
    if let probe, probe.needsPort { settings.needsPort.append(("\"check\"", node.line)) }
    let every = self.duration("every", in: check) ?? .seconds(10)
    if every == .zero, let line = check["every"]?.line { self.report(line, "\"every\" must not be zero") }
    settings.check = HealthCheck(
      probe: probe ?? .tcp, every: every, timeout: self.duration("timeout", in: check) ?? .seconds(5),
      failures: self.integer("failures", in: check, range: 1...1000) ?? 3)
  }

  private mutating func preset(in table: TOMLNode) -> WorkerPreset? {
    guard let name = self.string("preset", in: table, mustBe: "the name of a preset"),
      let line = table["preset"]?.line
    else { return nil }
    let preset = WorkerPreset(name: name)
    if preset == nil {
      self.report(line, self.unknown("preset", name, among: WorkerPreset.all.map(\.name)))
    }
    return preset
  }

  private mutating func backoff(in table: TOMLNode) -> WorkerDefinition.Backoff {
    guard let node = self.table("backoff", in: table) else { return WorkerDefinition.Backoff() }
    let backoff = self.admit(node, keys: ConfigurationKey.backoff)
    let standard = WorkerDefinition.Backoff()
    let first = self.duration("first", in: backoff)
    let max = self.duration("max", in: backoff)
    if let first, first == .zero, let line = backoff["first"]?.line {
      self.report(line, "\"first\" must not be zero: restarts without a pause are a storm")
    }
    if let first, let max, first > max {
      self.report(node.line, "\"backoff\" begins with \(first.text) and cannot end with less, \(max.text)")
    }
    // One alone moves the default of the other out of its way.
    return WorkerDefinition.Backoff(
      first: first ?? min(standard.first, max ?? standard.max),
      max: max ?? Swift.max(standard.max, first ?? standard.first))
  }

  private mutating func readRights(of table: TOMLNode, into settings: inout WorkerSettings) {
    settings.user = self.account("user", in: table)
    settings.group = self.account("group", in: table)
    if let names = self.strings("capabilities", in: table) {
      settings.capabilities = names.map(\.text)
      for (name, line) in names where (try? CapabilitySet(names: [name])) == nil {
        self.report(line, "unknown capability \(self.quoted(name))")
      }
    }
    settings.noNewPrivileges = self.boolean("no-new-privileges", in: table) ?? false
    settings.limits = self.limits(in: table)
    settings.umask = self.string("umask", in: table, mustBe: RightsText.umaskForm, as: RightsText.umask)
    settings.nice = self.integer("nice", in: table, range: RightsText.nice).map { Int32($0) }
    settings.outOfMemoryScore = self.integer("oom-score", in: table, range: RightsText.outOfMemoryScore)
      .map { Int32($0) }
  }

  /// A user or a group: a name, or a number in either spelling.
  mutating func account(_ key: String, in table: TOMLNode) -> String? {
    let expectation = "a name or a number"
    guard let node = table[key] else { return nil }
    if case .integer(let number) = node.value {
      guard (0..<Int(UInt32.max)).contains(number) else {
        self.report(node.line, "\"\(key)\" must be \(expectation), not \(number)")
        return nil
      }
      return "\(number)"
    }
    return self.string(key, in: table, mustBe: expectation) { $0.isEmpty ? nil : $0 }
  }

  private mutating func limits(in table: TOMLNode) -> [ChildSetup.Limit] {
    guard let node = self.table("limits", in: table) else { return [] }
    var limits: [ChildSetup.Limit] = []
    for (name, value) in node.members {
      guard let resource = Resource(name: name) else {
        self.report(value.line, self.unknown("limit", name, among: Resource.allNames))
        continue
      }
      let text: String
      switch value.value {
      case .string(let string): text = string
      case .integer(let number): text = "\(number)"
      default:
        self.mismatch(name, value, mustBe: "a number or a string such as \"1024:4096\"")
        continue
      }
      do {
        limits.append(try ChildSetup.Limit(resource, text: text))
      } catch {
        let shown = LimitTextError(text: String(self.quoted(text).dropFirst().dropLast()))
        self.report(value.line, "\"\(name)\": \(shown)")
      }
    }
    return limits
  }
}
