import ProcCtl
import SeededRandom
import Supervision
import Testing

@Suite("The timeouts of the shutdown")
struct ShutdownTimeoutsTests {
  private func timeouts(_ lines: String, _ environment: [String: String] = [:]) throws -> ShutdownTimeouts {
    try parse("[shutdown]\n\(lines)\n" + worker(""), environment: environment).shutdown
  }

  @Test("are overridden by the environment")
  func environment() throws {
    let timeouts = try timeouts(
      "clients = 1",
      [
        "MCP_WORKER_GRACEFUL_TIMEOUT": "1.5", "MCP_SHUTDOWN_CLIENT_TIMEOUT": "2",
        "MCP_SHUTDOWN_WORKER_TIMEOUT": "9",
        "PROCCTL_SHUTDOWN_PORT_TIMEOUT": "0", "PROCCTL_SHUTDOWN_CLEANUP_TIMEOUT": "4",
      ])
    #expect(
      timeouts
        == ShutdownTimeouts(
          graceful: .milliseconds(1500), clients: .seconds(2), workers: .seconds(9), ports: .zero,
          cleanup: .seconds(4)))
    #expect(try self.timeouts("clients = 1", ["MCP_SHUTDOWN_CLIENT_TIMEOUT": ""]).clients == .seconds(1))
  }

  @Test(
    "are refused if the environment has no number", arguments: ["10s", "-1", "x", " 1", "1e3", "1.", "inf"])
  func badEnvironment(text: String) {
    #expect(
      complaints(about: worker(""), environment: ["MCP_WORKER_GRACEFUL_TIMEOUT": text]) == [
        "MCP_WORKER_GRACEFUL_TIMEOUT must be a number of seconds such as 10 or 2.5, not \"\(text)\""
      ])
  }

  @Test("fit into each other, the less explicit one giving way")
  func reconciled() throws {
    func pair(_ lines: String, _ environment: [String: String] = [:]) throws -> [Duration] {
      let timeouts = try self.timeouts(lines, environment)
      return [timeouts.graceful, timeouts.workers]
    }
    #expect(try pair("") == [.seconds(10), .seconds(30)])
    #expect(try pair("workers = 12") == [.seconds(4), .seconds(12)])
    #expect(try pair("workers = 60") == [.seconds(10), .seconds(60)])
    #expect(try pair("graceful = 5") == [.seconds(5), .seconds(30)])
    #expect(try pair("graceful = 40") == [.seconds(40), .seconds(60)])
    #expect(try pair("graceful = 12\nworkers = 12") == [.seconds(12), .seconds(12)])
    #expect(try pair("workers = 0") == [.zero, .zero])
    let shorter = ["MCP_SHUTDOWN_WORKER_TIMEOUT": "6"]
    #expect(try pair("graceful = 5", shorter) == [.seconds(5), .seconds(6)])
    #expect(try pair("graceful = 9", shorter) == [.seconds(2), .seconds(6)])
    #expect(try pair("workers = 9", ["MCP_WORKER_GRACEFUL_TIMEOUT": "10"]) == [.seconds(10), .seconds(30)])
    #expect(
      complaints(
        about: worker(""),
        environment: ["MCP_WORKER_GRACEFUL_TIMEOUT": "7", "MCP_SHUTDOWN_WORKER_TIMEOUT": "6"])
        == [
          "MCP_WORKER_GRACEFUL_TIMEOUT (7s) must not be longer than MCP_SHUTDOWN_WORKER_TIMEOUT (6s), of which "
            + "it is the first part"
        ])
  }

  @Test("give the default stop steps, which never take longer than workers may")
  func defaultStop() {
    var generator = SeededRandom(seed: 3)
    for _ in 0..<2000 {
      let workers = Duration.milliseconds(Int.random(in: 0...100_000, using: &generator))
      let graceful = Duration.milliseconds(Int.random(in: 0...100_000, using: &generator))
      let timeouts = ShutdownTimeouts(graceful: graceful, workers: workers)
      #expect(timeouts.defaultStop(withRequest: true).timeBeforeKill == workers)
      #expect(timeouts.defaultStop(withRequest: false).timeBeforeKill <= workers)
      #expect(timeouts.defaultStop(withRequest: true).last == .signal(.kill, wait: nil))
    }
  }

  @Test("shorten steps the file asks for if the environment has less time")
  func fitted() throws {
    let text = worker("stop = [{ signal = \"TERM\", wait = \"12s\" }, { signal = \"INT\", wait = \"8s\" }]")
    #expect(try parse(text).workers.first?.stop.timeBeforeKill == .seconds(20))
    #expect(
      try parse(text, environment: ["MCP_SHUTDOWN_WORKER_TIMEOUT": "5"]).workers.first?.stop == [
        .signal(.terminate, wait: .seconds(3)), .signal(.interrupt, wait: .seconds(2)),
        .signal(.kill, wait: nil),
      ])
  }
}
