import Supervision
import Testing

@Suite("Metrics as text")
struct MetricsTextTests {
  static func status(_ workers: [MasterStatusSnapshot.Worker], stop: MasterStatusSnapshot.Stop? = nil)
    -> MasterStatusSnapshot
  {
    MasterStatusSnapshot(
      version: "1.2.3", pid: 7, configuration: "/etc/x.toml", phase: stop == nil ? "running" : "stopping",
      ready: stop == nil, status: "ready", uptime_seconds: 12.5, stop: stop, workers: workers)
  }

  static func worker(_ name: String, _ state: String = "ready", port: UInt16? = nil, clients: Int? = nil)
    -> MasterStatusSnapshot.Worker
  {
    MasterStatusSnapshot.Worker(
      name: name, state: state, seconds: 1, pid: 8, port: port, clients: clients, restarts: 3)
  }

  /// What is wrong with it by the rules of the format: each family is described once, before its samples
  /// and in one piece; names and numbers are such; labels are quoted and escaped.
  static func problems(in text: String) -> [String] {
    var problems: [String] = []
    var types: [String: String] = [:]
    var helped: Set<String> = []
    var finished: Set<String> = []
    var seen: Set<String> = []
    var current = ""
    if !text.hasSuffix("\n") { problems.append("no line feed at the end") }
    for line in text.split(separator: "\n").map(String.init) {
      let words = line.split(separator: " ", maxSplits: 3).map(String.init)
      if line.hasPrefix("# HELP ") {
        if !helped.insert(words[2]).inserted { problems.append("described twice: \(words[2])") }
        continue
      }
      if line.hasPrefix("# TYPE ") {
        if types.updateValue(words[3], forKey: words[2]) != nil { problems.append("typed twice: \(line)") }
        if !["counter", "gauge"].contains(words[3]) { problems.append("type: \(line)") }
        if words[3] == "counter", !words[2].hasSuffix("_total") { problems.append("counter: \(line)") }
        finished.insert(current)
        current = words[2]
        continue
      }
      let name = String(line.prefix { $0 != "{" && $0 != " " })
      guard name.wholeMatch(of: /[a-zA-Z_:][a-zA-Z0-9_:]*/) != nil else {
        problems.append("name: \(line)")
        continue
      }
      if name != current || finished.contains(name) { problems.append("out of its family: \(line)") }
      if !helped.contains(name) { problems.append("not described: \(line)") }
      let pattern =
        /[a-z_]+(\{[a-z_]+="([^"\\\n]|\\\\|\\"|\\n)*"(,[a-z_]+="([^"\\\n]|\\\\|\\"|\\n)*")*\})? (-?[0-9.e+-]+)/
      if line.wholeMatch(of: pattern) == nil { problems.append("sample: \(line)") }
      let key = String(line[..<(line.lastIndex(of: " ") ?? line.endIndex)])
      if !seen.insert(key).inserted { problems.append("twice: \(key)") }
    }
    return problems
  }

  @Test("is what the format wants, whatever a label holds")
  func format() {
    let workers = [
      Self.worker("alpha", port: 80, clients: 2), Self.worker("be\"ta\\\n", "failed", port: 81, clients: 0),
    ]
    let text = MetricsText(
      Self.status(workers),
      figures: MetricsText.Figures(residentBytes: 1, descriptors: 2, processes: 3, droppedLines: 4)
    ).text
    #expect(Self.problems(in: text) == [])
    let lines = Set(text.split(separator: "\n").map(String.init))
    for line in [
      "procctl_up 1", "procctl_ready 1", "procctl_phase{phase=\"running\"} 1",
      "procctl_workers{state=\"ready\"} 1", "procctl_workers{state=\"failed\"} 1",
      "procctl_workers{state=\"blocked\"} 0", "procctl_worker_up{worker=\"alpha\"} 1",
      #"procctl_worker_up{worker="be\"ta\\\n"} 0"#,
      "procctl_worker_restarts_total{worker=\"alpha\"} 3",
      "procctl_worker_connections{worker=\"alpha\",port=\"80\"} 2", "procctl_uptime_seconds 12.5",
      "procctl_shutdown_seconds 0", "process_open_fds 2", "process_resident_memory_bytes 1",
      "procctl_processes 3", "procctl_log_lines_dropped_total 4",
    ] { #expect(lines.contains(line), "\(line)") }
  }

  @Test("the checker finds what is wrong")
  func control() {
    #expect(Self.problems(in: "# HELP a x\n# TYPE a gauge\na{b=\"\"c\"} 1\n") != [])
    #expect(Self.problems(in: "# HELP a x\n# TYPE a gauge\na 1\na 2\n") != [])
    #expect(Self.problems(in: "a 1\n") != [])
    #expect(Self.problems(in: "# HELP a x\n# TYPE a counter\na 1\n") != [])
    #expect(Self.problems(in: "# HELP a x\n# TYPE a gauge\na 1") != [])
  }

  @Test("what is not known is left out")
  func unknown() {
    let text = MetricsText(Self.status([Self.worker("a", port: 80)]), figures: .init()).text
    #expect(Self.problems(in: text) == [])
    #expect(!text.contains("process_open_fds"))
    #expect(!text.contains("procctl_worker_connections"))
  }

  @Test("a stop shows")
  func stop() {
    let text = MetricsText(
      Self.status([], stop: .init(reason: "x", seconds: 2.25, budget_seconds: 30)), figures: .init()
    ).text
    #expect(Self.problems(in: text) == [])
    #expect(text.contains("procctl_shutdown_seconds 2.25\n"))
    #expect(text.contains("procctl_ready 0\n"))
    #expect(text.contains("procctl_phase{phase=\"stopping\"} 1\n"))
  }
}
