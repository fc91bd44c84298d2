import ProcCtl
import Supervision

/// A stop with something of everything, made by the account itself.
enum ReportFixture {
  static var record: ShutdownRecord? {
    var told = ToldAccount([
      ("alpha", 8081), ("b<&>\"\u{1B}[2J", 9000), ("gamma", nil), ("idle", nil), ("delta", 8082),
    ])
    for (name, pid) in [("alpha", 11), ("b<&>\"\u{1B}[2J", 12), ("gamma", 13), ("delta", 15)] {
      told.changed(name, .ready, pid: Int32(pid))
    }
    told.changed("idle", .backoff)
    told.happened(.phaseBegan(.stopping))
    told.account.stopBegan("SIGTERM from pid 1", budget: .seconds(65))
    for name in ["alpha", "b<&>\"\u{1B}[2J", "gamma", "delta"] {
      told.changed(name, .stopping, "asked to stop")
    }
    told.happened(.requested(worker: "alpha", StopRequest(method: "POST", path: "/shutdown")))
    told.happened(.clientsChanged(worker: "alpha", connected: 4))
    told.happened(.requested(worker: "delta", StopRequest(method: "POST", path: "/shutdown")))
    told.happened(.signalled(worker: "gamma", .terminate, processes: 3))
    told.changed("idle", .stopped, "it was not running")
    told.pass(40)
    told.happened(.answered(worker: "alpha", refusal: nil))
    told.happened(.answered(worker: "delta", refusal: "HTTP status 500"))
    told.happened(.signalled(worker: "delta", .terminate, processes: 1))
    told.pass(160)
    told.happened(.clientsChanged(worker: "alpha", connected: 1))
    told.happened(
      .leaderEnded(worker: "delta", .signaled(.terminate, coreDumped: false), lastSent: .terminate))
    told.happened(.portVerified(worker: "delta", port: 8082, holder: nil))
    told.changed("delta", .stopped)
    told.pass(100)
    told.happened(.clientsForced(worker: "alpha", 1))
    told.happened(.clientsChanged(worker: "alpha", connected: 0))
    told.happened(.leaderEnded(worker: "alpha", .exited(0), lastSent: nil))
    told.happened(.portVerified(worker: "alpha", port: 8081, holder: nil))
    told.changed("alpha", .stopped)
    told.pass(700)
    told.happened(.signalled(worker: "gamma", .kill, processes: 2))
    told.happened(.leaderEnded(worker: "gamma", .signaled(.kill, coreDumped: false), lastSent: .kill))
    told.changed("gamma", .stopped)
    told.happened(.signalled(worker: "b<&>\"\u{1B}[2J", .terminate, processes: 1))
    told.happened(.leaderEnded(worker: "b<&>\"\u{1B}[2J", .exited(1), lastSent: .terminate))
    told.happened(.portVerified(worker: "b<&>\"\u{1B}[2J", port: 9000, holder: "pid 99 (nginx)"))
    told.pass(150)
    told.happened(.portVerified(worker: "b<&>\"\u{1B}[2J", port: 9000, holder: "pid 99 (nginx)"))
    told.changed("b<&>\"\u{1B}[2J", .failed, "port 9000 is still held by pid 99 (nginx)")
    told.happened(.phaseBegan(.sweeping))
    told.pass(1)
    told.happened(.phaseBegan(.cleaning))
    told.happened(.cleanupBegan("flush"))
    told.pass(60)
    told.happened(.cleanupEnded("flush", failure: nil))
    told.happened(.phaseBegan(.ended))
    var outcome = ShutdownOutcome()
    outcome.clientsForced = true
    outcome.killed = ["gamma"]
    outcome.signalled = ["delta"]
    outcome.heldPorts = ["9000 (b) held by pid 99 (nginx)"]
    told.account.ended(outcome, at: told.now)
    return told.account.record
  }
}
