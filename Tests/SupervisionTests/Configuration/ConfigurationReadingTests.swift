import ProcCtl
import Supervision
import SystemPackage
import Testing

@Suite("A configuration")
struct ConfigurationReadingTests {
  static let complete = #"""
    [shutdown]
    graceful = "5s"
    clients = "20s"
    workers = "25s"
    ports = 12
    cleanup = 2.5

    [master]
    control = "run/control.sock"
    log-directory = "/var/log/procctl"
    log-format = "json"
    log-size = "512K"
    log-keep = 0

    [workers.zeta]
    command = ["server", "--port", "{port}", "--name={name}", "--fd", "{fd}", "{{literal}"]
    port = 8081
    listen = "inherit"
    ready = "http:/health?deep=1"
    stop = [ { request = "PUT /quit" }, { signal = "SIGUSR1", wait = "1.5s" },
             { signal = "int", wait = 2 }, { signal = "KILL", wait = "3s" } ]
    restart = "on-failure"
    backoff = { first = "200ms", max = "1m" }
    start-timeout = "0"
    directory = "data"
    environment = { PORT = "{port}", LISTEN = "{fd}", BRACE = "{{" }
    user = "root"
    group = 0
    capabilities = ["CAP_NET_BIND_SERVICE", "chown"]
    no-new-privileges = true
    limits = { nofile = "1024:4096", nproc = 100, core = "unlimited", stack = "8388608:unlimited" }
    umask = "0027"
    nice = -5
    oom-score = 500
    contain = "cgroup"

    [workers.alpha]
    command = ["true"]

    [workers."b.c"]
    command = ["true", ""]
    port = 9000

    [[cleanups]]
    name = "first"
    command = ["echo", "{verbatim}"]

    [[cleanups]]
    name = "second"
    command = ["true"]
    timeout = "1m"
    """#

  @Test("is read in full")
  func complete() throws {
    let configuration = try parse(Self.complete, unavailable: [])
    #expect(
      configuration.shutdown
        == ShutdownTimeouts(
          graceful: .seconds(5), clients: .seconds(20), workers: .seconds(25), ports: .seconds(12),
          cleanup: .milliseconds(2500)))
    #expect(configuration.control == "/etc/procctl/run/control.sock")
    #expect(configuration.logDirectory == "/var/log/procctl")
    #expect(configuration.logFormat == .json)
    #expect(configuration.logSize == 512 << 10 && configuration.logKeep == 0)
    #expect(configuration.health == nil)
    #expect(configuration.workers.map(\.name) == ["zeta", "alpha", "b.c"])
    #expect(
      configuration.cleanups == [
        CleanupCommand(name: "first", command: ["echo", "{verbatim}"], timeout: .milliseconds(2500)),
        CleanupCommand(name: "second", command: ["true"], timeout: .seconds(60)),
      ])

    let zeta = try #require(configuration.workers.first)
    #expect(
      zeta.arguments(descriptor: 3) == ["server", "--port", "8081", "--name=zeta", "--fd", "3", "{literal}"])
    #expect(zeta.command[5].needsDescriptor)
    #expect(!zeta.command[6].needsDescriptor)
    #expect(zeta.variables(descriptor: 7) == ["PORT": "8081", "LISTEN": "7", "BRACE": "{"])
    #expect(zeta.port == 8081)
    #expect(zeta.listen == .inherit)
    #expect(zeta.ready == .http(path: "/health?deep=1"))
    #expect(
      zeta.stop == [
        .request(method: "PUT", path: "/quit", wait: .seconds(5)), .signal(.user1, wait: .milliseconds(1500)),
        .signal(.interrupt, wait: .seconds(2)), .signal(.kill, wait: .seconds(3)),
      ])
    #expect(zeta.restart == .onFailure)
    #expect(zeta.backoff == .init(first: .milliseconds(200), max: .seconds(60)))
    #expect(zeta.startTimeout == .zero)
    #expect(zeta.directory == "/etc/procctl/data")
    #expect(zeta.user == "root")
    #expect(zeta.group == "0")
    #expect(zeta.capabilities == ["CAP_NET_BIND_SERVICE", "chown"])
    #expect(zeta.noNewPrivileges)
    let limits = try [
      ("nofile", 1024, 4096), ("nproc", 100, 100), ("core", nil, nil), ("stack", 8_388_608, nil),
    ].map { (name: String, soft: UInt64?, hard: UInt64?) in
      ChildSetup.Limit(try #require(Resource(name: name)), soft: soft, hard: hard)
    }
    #expect(zeta.limits == limits)
    #expect(zeta.umask == 0o027)
    #expect(zeta.nice == -5)
    #expect(zeta.outOfMemoryScore == 500)
    #expect(zeta.contain == .cgroup)

    let setup = try zeta.childSetup()
    #expect(setup.credentials?.user == 0)
    #expect(setup.credentials?.group == 0)
    #expect(try setup.capabilities == CapabilitySet(names: ["net_bind_service", "chown"]))
    #expect(setup.limits == limits)
  }

  @Test("has defaults for what it does not say")
  func defaults() throws {
    let configuration = try parse(worker(""))
    #expect(
      configuration == MasterConfiguration(workers: [WorkerDefinition(name: "alpha", command: ["server"])]))
    let alpha = try #require(configuration.workers.first)
    #expect(alpha.ready == .none)
    #expect(
      alpha.stop == [
        .signal(.terminate, wait: .seconds(15)), .signal(.interrupt, wait: .seconds(5)),
        .signal(.kill, wait: nil),
      ])
    #expect(alpha.backoff == .init(first: .milliseconds(100), max: .seconds(30)))
    #expect(alpha.startTimeout == .seconds(60))
    #expect(alpha.contain == .automatic)
    #expect(try alpha.childSetup() == ChildSetup())
    #expect(configuration.shutdown.ports == .seconds(15))

    #expect(try parse(worker("port = 1")).workers.first?.ready == .tcp)
    #expect(
      try parse(worker("port = 65535\nready = \"http:/\"")).workers.first?.stop == [
        .request(method: "POST", path: "/shutdown", wait: .seconds(10)),
        .signal(.terminate, wait: .seconds(15)),
        .signal(.interrupt, wait: .seconds(5)), .signal(.kill, wait: nil),
      ])
  }

  @Test("takes the master's user and group by name or number")
  func masterUser() throws {
    let given = try parse("[master]\nuser = \"procctl\"\ngroup = 33\n\n" + worker(""))
    #expect(given.user == "procctl")
    #expect(given.group == "33")
    let none = try parse(worker(""))
    #expect(none.user == nil)
    #expect(none.group == nil)
  }

  @Test("ends every list of stop steps with KILL")
  func killIsAppended() throws {
    #expect(try parse(worker("stop = []")).workers.first?.stop == [.signal(.kill, wait: nil)])
    #expect(
      try parse(worker("stop = [{ signal = \"TERM\", wait = 1 }]")).workers.first?.stop == [
        .signal(.terminate, wait: .seconds(1)), .signal(.kill, wait: nil),
      ])
    #expect(
      WorkerDefinition(name: "a", command: ["b"], stop: [.signal(.quit, wait: .seconds(1))]).stop.last?.isKill
        == true)
  }

  @Test("can be written in other shapes of TOML")
  func shapes() throws {
    let dotted = try parse(
      """
      workers.beta = { command = ["b"], port = 2 }
      workers.alpha.command = ['a']
      workers.alpha.environment.X = "1"
      master.log-format = "journal"
      """)
    #expect(dotted.workers.map(\.name) == ["beta", "alpha"])
    #expect(dotted.workers.last?.variables() == ["X": "1"])
    #expect(dotted.logFormat == .journal)
  }

  @Test("reads what a later version will have, once it is no longer refused")
  func available() throws {
    let configuration = try parse(
      """
      [master]
      health = "127.0.0.1:9180"
      [workers.a]
      command = ["a"]
      port = 1
      ready = "exec:test -e /run/a && true"
      check = { probe = "http:/health", every = "1s", timeout = "500ms", failures = 2 }
      contain = "guard"
      [workers.b]
      command = ["b"]
      ready = "fd"
      contain = "pid-namespace"
      """, unavailable: [])
    #expect(configuration.health == HealthAddress("127.0.0.1:9180"))
    #expect(configuration.workers[0].ready == .exec(["/bin/sh", "-c", "test -e /run/a && true"]))
    #expect(
      configuration.workers[0].check
        == HealthCheck(
          probe: .http(path: "/health"), every: .seconds(1), timeout: .milliseconds(500), failures: 2))
    #expect(configuration.workers[0].contain == .guardian)
    #expect(configuration.workers[1].ready == .descriptor)
    #expect(configuration.workers[1].contain == .pidNamespace)
    #expect(
      complaints(
        about: worker("port = 1\ncheck = { every = 0, tiemout = 1 }"), unavailable: []) == [
          "procctl.toml:4: unknown key \"tiemout\", did you mean \"timeout\"?",
          "procctl.toml:4: \"check\" has no \"probe\"",
          "procctl.toml:4: \"every\" must not be zero",
        ])
    #expect(
      complaints(about: worker("check = { probe = \"notify\" }"), unavailable: []) == [
        "procctl.toml:3: \"probe\" must be \"tcp\", \"http:/PATH\" or \"exec:COMMAND\", not \"notify\""
      ])
  }

  @Test(
    "a program with a slash is in the worker's directory, or beside the file",
    arguments: [
      ("./bin/a", "", "/bin/a"), ("bin/a", "", "/bin/a"), ("../a", "", "/../a"), ("./a", "sub", "/sub/a"),
    ])
  func program(command: String, directory: String, found: String) throws {
    let place = directory.isEmpty ? "" : "directory = \"\(directory)\"\n"
    let text = """
      [workers.a]
      command = ["\(command)", "./x"]
      \(place)
      [workers.b]
      command = ["a"]
      [[cleanups]]
      name = "c"
      command = ["\(command)"]
      """
    try withDirectory(files: ["p.toml": text]) { file in
      let configuration = try MasterConfiguration.load(file: file.appending("p.toml"), environment: [:])
      #expect(configuration.workers.first?.command.map(\.description) == ["\(file)\(found)", "./x"])
      #expect(configuration.workers.last?.command.map(\.description) == ["a"])
      if directory.isEmpty { #expect(configuration.cleanups.first?.command == ["\(file)\(found)"]) }
    }
  }

  @Test("is loaded from a file, relative to its directory")
  func load() throws {
    let text = worker("directory = \"sub\"")
    try withDirectory(files: ["p.toml": text, "latin.toml": "a = 1\nb = 2\n"]) { directory in
      let configuration = try MasterConfiguration.load(file: directory.appending("p.toml"), environment: [:])
      #expect(configuration.workers.first?.directory == directory.appending("sub"))
      let latin = directory.appending("latin.toml")
      let file = try FileDescriptor.open(latin, .writeOnly, options: [.append])
      try file.closeAfter { _ = try file.writeAll([0x63, 0xE9, 0x0A]) }
      #expect(
        throws: ConfigurationError(problems: [.init(file: latin.string, line: 3, message: "is not UTF-8")])
      ) {
        try MasterConfiguration.load(file: latin, environment: [:])
      }
      #expect(
        throws: ConfigurationError(problems: [
          .init(file: "\(directory)/none", line: nil, message: "No such file or directory")
        ])
      ) {
        try MasterConfiguration.load(file: directory.appending("none"), environment: [:])
      }
      #expect(throws: ConfigurationError.self) {
        try MasterConfiguration.load(file: directory, environment: [:])
      }
    }
  }

  @Test("Stop requests to Unix sockets: places are filled in, relative paths start from the file")
  func stopSockets() throws {
    let configuration = try parse(
      """
      [workers.alpha]
      command = ["server"]
      stop = [ { request = "POST /stop", socket = "run/{name}.sock", wait = "1s" },
               { request = "POST /stop", socket = "@{name}{{", wait = "2s" },
               { request = "PUT /quit", socket = "/run/w.sock" } ]
      """)
    let worker = try #require(configuration.workers.first)
    #expect(
      worker.stop == [
        .request(method: "POST", path: "/stop", socket: "/etc/procctl/run/alpha.sock", wait: .seconds(1)),
        .request(method: "POST", path: "/stop", socket: "@alpha{", wait: .seconds(2)),
        .request(method: "PUT", path: "/quit", socket: "/run/w.sock", wait: .seconds(10)),
        .signal(.kill, wait: nil),
      ])
  }
}
