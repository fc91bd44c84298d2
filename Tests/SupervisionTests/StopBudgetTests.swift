import Supervision
import Testing

@Suite("The longest a stop can take")
struct StopBudgetTests {
  private func budget(_ text: String) throws -> StopBudget { StopBudget(try parse(text)) }

  @Test("is the slowest worker, then what is left over, then the cleanups")
  func sum() throws {
    let budget = try self.budget(
      """
      [shutdown]
      ports = "3s"
      [workers.fast]
      command = ["x"]
      ready = "none"
      stop = [ { signal = "TERM", wait = "1s" }, { signal = "KILL" } ]
      [workers.slow]
      command = ["x"]
      port = 80
      stop = [ { request = "POST /shutdown", wait = "4s" }, { signal = "TERM", wait = "2s" }, { signal = "KILL" } ]
      [[cleanups]]
      name = "flush"
      command = ["x"]
      timeout = "6s"
      """)
    // KILL: two seconds, four times over as long as some of them still die.
    #expect(budget.workers.map(\.total) == [.seconds(9), .seconds(30)])
    #expect(budget.slowest?.name == "slow")
    #expect(budget.slowest?.port == .seconds(3 + 13))
    #expect(budget.slowest?.steps.map(\.name) == ["POST /shutdown", "TERM", "KILL"])
    #expect(budget.sweep == .seconds(13))
    #expect(budget.cleanups == .seconds(15))
    #expect(budget.total == .seconds(30 + 13 + 15))
  }

  @Test("of workers alike, the first")
  func alike() throws {
    let budget = try self.budget("[workers.b]\ncommand = [\"x\"]\n[workers.a]\ncommand = [\"x\"]\n")
    #expect(budget.slowest?.name == "b")
    #expect(budget.cleanups == .zero)
  }
}

@Suite("What systemd says of a unit")
struct ServiceSettingsTests {
  @Test(
    "spans of time",
    arguments: [
      ("90", Duration.seconds(90)), ("1min 30s", .seconds(90)), ("1m30s", .seconds(90)),
      ("2h", .seconds(7200)), ("1.5s", .milliseconds(1500)), ("250ms", .milliseconds(250)),
      ("1w 2d", .seconds(9 * 86_400)), ("0", .zero), ("500us", .microseconds(500)),
    ])
  func spans(text: String, duration: Duration) { #expect(SystemdTimeSpan(text) == .finite(duration)) }

  @Test(
    "infinity, and what is no span", arguments: ["", " ", "x", "1x", "-1", "s", "1 2x", "1e9", "9999999999"])
  func noSpans(text: String) {
    #expect(SystemdTimeSpan("infinity") == .infinite)
    #expect(SystemdTimeSpan(text) == nil)
  }

  @Test("what systemctl shows")
  func shown() {
    let settings = ServiceSettings(
      shown: "Type=notify\nTimeoutStopUSec=2min\nKillMode=mixed\nDelegate=yes\nNotifyAccess=main\n")
    #expect(settings.timeoutStop == .finite(.seconds(120)))
    #expect(settings.obstacles == [])
  }

  @Test("a unit file, with what systemd takes where it says nothing")
  func file() {
    let bare = ServiceSettings(unitFile: "[Unit]\nTimeoutStopSec=1\n[Service]\nExecStart=/x\n")
    #expect(bare.timeoutStop == .finite(.seconds(90)))
    #expect(
      bare.obstacles.map { String($0.prefix { $0 != ":" }) } == [
        "KillMode=control-group", "Type=simple", "NotifyAccess=none", "Delegate=no",
      ])
    let whole = ServiceSettings(
      unitFile: """
        [Service]
        Type = notify
        # TimeoutStopSec=1
        TimeoutSec=\\
        ; a comment in between
          2min
        KillMode=mixed
        Delegate=yes
        [Install]
        KillMode=none
        """)
    #expect(whole.timeoutStop == .finite(.seconds(120)))
    #expect(whole.notifyAccess == "main")
    #expect(whole.obstacles == [])
    #expect(ServiceSettings(unitFile: "[Service]\nTimeoutStopSec=0\n").timeoutStop == .infinite)
    #expect(ServiceSettings(unitFile: "[Service]\nTimeoutStopSec=often\n").timeoutStop == nil)
  }
}
