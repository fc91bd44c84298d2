import ProcCtl
import Supervision
import SystemPackage
import Testing

@Suite struct GuardTests {
  @Test("events are read as the guard writes them")
  func events() {
    func event(_ line: String) -> GuardEvent? { GuardEvent(line: line.utf8) }
    #expect(
      event(#"{"event":"started","pid":12,"start_time":345}"#)
        == .started(ProcessIdentity(processIdentifier: ProcessIdentifier(12), startTime: 345)))
    #expect(
      event(#"{"core_dumped":false,"event":"command-ended","exit_status":3,"leftovers":2}"#)
        == .commandEnded(.exited(3), leftovers: 2))
    #expect(
      event(#"{"core_dumped":true,"event":"command-ended","leftovers":0,"signal":"SIGSEGV"}"#)
        == .commandEnded(.signaled(.segmentationFault, coreDumped: true), leftovers: 0))
    #expect(
      event(#"{"event":"failed","message":"no such thing","exit_status":127}"#) == .failed("no such thing"))
    #expect(event(#"{"event":"ended","last_signal":"SIGKILL"}"#) == .ended(lastSignal: .kill))
    #expect(event(#"{"event":"ended"}"#) == .ended(lastSignal: nil))
  }

  @Test(
    "what is no event is none",
    arguments: [
      "", "{", "[]", "null", #"{"event":"begun"}"#, #"{"event":"started"}"#,
      #"{"event":"started","pid":"x"}"#,
      #"{"event":"command-ended"}"#, #"{"event":"command-ended","signal":"SIGNONE"}"#, "\u{0}",
    ])
  func noEvents(_ line: String) {
    #expect(GuardEvent(line: line.utf8) == nil)
  }

  @Test("the guard keeps our rights, and gives the command what it asked for")
  func commandLine() throws {
    var command = Command(.name("server"), arguments: ["--port", "80"], directory: "/srv")
    command.environment = command.environment.setting("NOTIFY_SOCKET", to: "@somewhere")
    command.setup.credentials = ChildSetup.Credentials(user: 33, group: 34)
    command.setup.capabilities = try CapabilitySet(names: ["net_bind_service", "cap_kill"])
    command.setup.noNewPrivileges = true
    command.setup.limits = [ChildSetup.Limit(try #require(Resource(name: "nofile")), soft: 10, hard: nil)]
    command.setup.umask = 0o027
    command.setup.nice = -5
    command.setup.outOfMemoryScore = -100
    let launch = GuardLaunch(program: .path("/bin/procctl"), namespace: .privileged, leftovers: .left)
    let guarded = try launch.command(command, channel: try GuardChannel(on: EventLoop()))
    #expect(
      guarded.arguments.map(\.description) == [
        "spawn", "--status-fd", "3", "--lifeline", "3", "--environment-fd", "4", "--leave-leftovers",
        "--chdir", "/srv", "--user", "33", "--group", "34", "--ambient-caps", "kill,net_bind_service",
        "--no-new-privs", "--limit", "nofile=10:unlimited", "--umask", "27", "--nice=-5",
        "--oom-score-adj=-100",
        "--", "server", "--port", "80",
      ])
    var own = ChildSetup()
    own.processNamespace = .privileged
    #expect(guarded.setup == own && guarded.directory == nil)
    #expect(guarded.passedDescriptors.map(\.target.rawValue) == [3, 4])
    // What the command's environment says is nothing the guard itself is to obey.
    command.environment = command.environment.setting("LD_PRELOAD", to: "/tmp/theirs.so")
    let preloading = try launch.command(command, channel: try GuardChannel(on: EventLoop()))
    #expect(preloading.environment.value(of: "LD_PRELOAD") == Environment.inherit.value(of: "LD_PRELOAD"))
  }

  @Test("in a namespace made without rights nobody can be another user")
  func obstacle() {
    var setup = ChildSetup()
    setup.credentials = ChildSetup.Credentials(user: 33, group: 33)
    func launch(_ namespace: ProcessNamespace?) -> GuardLaunch {
      GuardLaunch(program: .name("procctl"), namespace: namespace, leftovers: .left)
    }
    #expect(launch(.unprivileged).obstacle(to: setup) != nil)
    #expect(launch(.unprivileged).obstacle(to: ChildSetup()) == nil)
    #expect(launch(.privileged).obstacle(to: setup) == nil)
    #expect(launch(nil).obstacle(to: setup) == nil)
  }
}
