import ProcCtl
import SeededRandom
import Supervision
import Testing

@Suite("A preset")
struct WorkerPresetTests {
  private func stop(_ lines: String, shutdown: String = "") throws -> [StopStep] {
    let configuration = try parse("[shutdown]\n\(shutdown)\n" + worker(lines))
    return try #require(configuration.workers.first).stop
  }

  @Test(
    "has the signals its program is ended by, in order",
    arguments: [
      ("gunicorn", [Signal.terminate, .quit]), ("mcp-proxy", [.terminate, .interrupt]),
      ("nginx", [.quit, .terminate]), ("postgres", [.interrupt, .quit]), ("redis", [.terminate, .interrupt]),
      ("uvicorn", [.terminate, .interrupt]),
    ])
  func signals(_ name: String, _ signals: [Signal]) throws {
    let steps = try self.stop("preset = \"\(name)\"")
    let sent = steps.map { step in
      if case .signal(let signal, _) = step { signal } else { Signal.kill }
    }
    #expect(sent == signals + [.kill])
    #expect(WorkerPreset(name: name)?.name == name)
  }

  @Test("lets who may wait for ever have the time for requests, and others most of all time")
  func waits() throws {
    #expect(
      try self.stop("preset = \"uvicorn\"") == [
        .signal(.terminate, wait: .seconds(10)), .signal(.interrupt, wait: .seconds(20)),
        .signal(.kill, wait: nil),
      ])
    #expect(
      try self.stop("preset = \"uvicorn\"", shutdown: "graceful = 1") == [
        .signal(.terminate, wait: .seconds(1)), .signal(.interrupt, wait: .seconds(29)),
        .signal(.kill, wait: nil),
      ])
    #expect(
      try self.stop("preset = \"postgres\"", shutdown: "workers = 8") == [
        .signal(.interrupt, wait: .seconds(6)), .signal(.quit, wait: .seconds(2)), .signal(.kill, wait: nil),
      ])
    // Nothing takes all of it.
    #expect(
      try self.stop("preset = \"nginx\"", shutdown: "graceful = 8\nworkers = 8") == [
        .signal(.quit, wait: .seconds(6)), .signal(.terminate, wait: .seconds(2)), .signal(.kill, wait: nil),
      ])
  }

  @Test("fits the time a worker has, whatever that is")
  func fits() throws {
    var generator = SeededRandom(seed: 5)
    for preset in WorkerPreset.all {
      for _ in 0..<50 {
        let workers = Int.random(in: 0...100_000, using: &generator)
        let graceful = Int.random(in: 0...workers, using: &generator)
        let steps = try self.stop(
          "preset = \"\(preset.name)\"", shutdown: "graceful = \"\(graceful)ms\"\nworkers = \"\(workers)ms\"")
        #expect(steps.timeBeforeKill == .milliseconds(workers))
        #expect(steps.last == .signal(.kill, wait: nil))
        if workers > 0 { #expect(steps.dropLast().allSatisfy { $0.wait > .zero || graceful == 0 }) }
      }
    }
  }

  @Test("gives way to what the worker's table says")
  func overridden() throws {
    #expect(
      try self.stop("preset = \"uvicorn\"\nstop = [{ signal = \"HUP\", wait = 3 }]") == [
        .signal(.hangUp, wait: .seconds(3)), .signal(.kill, wait: nil),
      ])
    // The rest of the table is as it is without one.
    let plain = try #require(try parse(worker("port = 80\nready = \"http:/\"\nstop = []")).workers.first)
    let preset = try #require(
      try parse(worker("port = 80\nready = \"http:/\"\npreset = \"nginx\"\nstop = []")).workers.first)
    #expect(plain == preset)
  }

  @Test("asks by its first signal, also where readiness is asked for by http")
  func noRequest() throws {
    let steps = try self.stop("port = 80\nready = \"http:/health\"\npreset = \"uvicorn\"")
    #expect(steps.first == .signal(.terminate, wait: .seconds(10)))
    let without = try self.stop("port = 80\nready = \"http:/health\"")
    #expect(without.first == .request(method: "POST", path: "/shutdown", wait: .seconds(10)))
  }

  @Test("can be had for all repositories")
  func repositories() throws {
    try withDirectory(files: ["r.json": "{\"repositories\":{\"a\":{\"path\":\"/a\",\"port\":8081}}}"]) {
      directory in
      let configuration = try MasterConfiguration.parse(
        text: "[repositories]\nfile = \"r.json\"\ncommand = [\"mcp-proxy\"]\npreset = \"mcp-proxy\"",
        fileName: "procctl.toml", directory: directory, environment: [:])
      #expect(
        configuration.workers.first?.stop.first == .signal(.terminate, wait: .seconds(10)))
    }
  }
}
