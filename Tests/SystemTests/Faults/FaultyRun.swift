import Glibc
import Testing

/// procctl with faults in a session of its own, and what must hold whatever they were.
struct FaultyRun {
  /// Longer than every escalation in these tests takes.
  static let limit = Duration.seconds(30)

  /// PROCCTL_FAULTS_ALL=1: every call with every fitting error, and not a sample.
  static let isExhaustive = getenv("PROCCTL_FAULTS_ALL").map { String(cString: $0) == "1" } ?? false

  /// A test case has a limit of time that all faults of a call together exceed.
  static let parts = 0..<(isExhaustive ? 8 : 1)

  let session: TestSession
  let plan: FaultPlan

  init(_ session: TestSession, _ faults: [Fault]) {
    self.session = session
    self.plan = FaultPlan(faults: faults, record: session.path("calls"))
  }

  func start(_ arguments: [Bytes]) throws -> TestProcess {
    var launch = Launch(Programs.procctl, arguments)
    launch.environment = self.plan.environment
    return try self.session.start(launch)
  }

  var record: FaultRecord { FaultRecord(path: self.session.path("calls")) }

  /// Something that is still there.
  struct Leak {
    var what: String
    /// What an error line that speaks of it contains: one of these.
    var names: [String]

    func isNamed(in text: String) -> Bool { self.names.contains { text.contains($0) } }
  }

  /// What is left, seen from outside; empty if nothing is.
  func leaks() async throws -> [Leak] {
    var found = try await self.session.residue().map {
      Leak(what: "left: \($0)", names: ["survived: pid \($0.pid) ", "whether somebody is left"])
    }
    found += self.session.listeningPorts().map { Leak(what: "port \($0) has a listener", names: ["\($0)"]) }
    if let cgroup = self.session.cgroup {
      found += names(in: cgroup.path, directories: true).map {
        Leak(what: "cgroup \($0) is left", names: [$0])
      }
    }
    found += names(in: self.session.path("procctl/spawn"), directories: false).map {
      Leak(what: "file \($0) is left", names: ["/\($0)"])
    }
    return found
  }

  /// Records what is wrong with a run, and ends who is left.
  ///
  /// - Parameters:
  ///   - result: Nil if it has not ended in time.
  ///   - excused: What may be left.
  ///   - lies: What is wrong with its answer.
  func judge(
    _ result: TestProcess.Result?, excusing excused: (Leak) -> Bool = { _ in false },
    lies: (TestProcess.Result) -> [String]
  ) async throws {
    let leaks = try await self.leaks()
    let problems = leaks.filter { !excused($0) }.map(\.what) + (result.map(lies) ?? ["it hangs"])
    if !problems.isEmpty { Issue.record(describe(self.plan.faults, problems, result)) }
    if !leaks.isEmpty || result == nil { try await self.session.sweep() }
  }

  /// A crash is nobody's answer to a fault.
  static func crash(of result: TestProcess.Result) -> [String] {
    switch result.ending {
    case .exited(132), .exited(134), .exited(139): ["crashed: \(result.ending)"]
    case .exited: []
    case .signaled(let signal): ["ended by signal \(signal)"]
    }
  }
}

private func names(in path: String, directories: Bool) -> [String] {
  guard let directory = opendir(path) else { return [] }
  defer { closedir(directory) }
  var found: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    guard name != ".", name != "..", (entry.pointee.d_type == UInt8(DT_DIR)) == directories else { continue }
    found.append(name)
  }
  return found
}

/// A run with one fault that did not end as it must, as text.
func describe(_ faults: [Fault], _ problems: [String], _ result: TestProcess.Result?) -> Comment {
  let what = faults.map(\.description).joined(separator: ";")
  let how = result.map { "\($0.ending) after \($0.duration): \($0.errors)" } ?? ""
  return Comment(rawValue: "\(what): \(problems.joined(separator: "; "))\n\(how)")
}

/// How often each call is made by a run without a fault, counted once.
actor CallCounts {
  static let shared = CallCounts()
  private var known: [String: [String: Int]] = [:]

  func of(_ name: String, run: @Sendable () async throws -> FaultRecord) async throws -> [String: Int] {
    if let counts = self.known[name] { return counts }
    let counts = Dictionary(try await run().entries.map { ($0.call, 1) }, uniquingKeysWith: +)
    self.known[name] = counts
    return counts
  }
}
