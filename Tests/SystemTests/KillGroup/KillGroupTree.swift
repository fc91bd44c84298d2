import Glibc
import Testing

/// Processes for kill-group that are the test's children: the leader, a child in its group, and a child that
/// went to a session of its own; all obedient.
struct KillGroupTree {
  let process: TestProcess
  let leader: pid_t
  let member: pid_t
  let escaped: pid_t

  var target: Bytes { "\(self.leader)" }

  /// - Parameter deaf: They ignore TERM instead.
  init(_ session: TestSession, _ name: String = "tree", deaf: Bool = false) async throws {
    let fifo = try session.announcements(name)
    let path = Bytes(fifo.path)
    let hearing: [Bytes] = deaf ? ["ignore", "TERM"] : []
    self.process = try session.workload(
      hearing + [
        "child", "tell", path, "member", "end", "child", "session", "tell", path, "escaped", "end",
      ]
        + ["tell", path, "leader"])
    let said = try await fifo.expect("leader", "member", "escaped")
    self.leader = try #require(said["leader"])
    self.member = try #require(said["member"])
    self.escaped = try #require(said["escaped"])
  }
}

extension TestSession {
  var living: Set<pid_t> { Set(self.members().map(\.pid)) }
}
