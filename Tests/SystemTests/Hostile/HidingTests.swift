import Glibc
import Testing

extension SystemTests {
  /// Processes that look like something else, or like nothing.
  @Suite struct HostileHiding {
    static let workloads: [HostileWorkload] = [
      HostileWorkload(
        name: "a daemon without arguments, environment and dumpable flag",
        actions: ["daemonize", "ignore", "TERM", "wipe", "tell", "FIFO", "hidden", "end"]),
      HostileWorkload(
        name: "daemons named like lines of /proc",
        actions: [
          "daemonize", "ignore", "TERM", "name", ") Z 1 1 1 0 0", "tell", "FIFO", "hidden", "end",
          "daemonize", "ignore", "TERM", "name", "a\n1 (b) Z 0\n", "tell", "FIFO", "hidden", "end",
          "daemonize", "ignore", "TERM", "name", "", "tell", "FIFO", "hidden", "end",
        ], hidden: 3),
      HostileWorkload(
        name: "a daemon whose main thread has ended, and another goes on",
        actions: ["daemonize", "ignore", "TERM", "in-thread", "tell", "FIFO", "hidden", "end"]),
      HostileWorkload(
        name: "a leader whose main thread has ended, and another goes on with children of its own",
        actions: ["ignore", "TERM", "in-thread", "child", "session", "tell", "FIFO", "hidden", "end"],
        leader: [], status: 128 + SIGKILL),
      HostileWorkload(
        name: "a daemon that adopts orphans itself, with some that are deaf and some that are dead",
        actions: [
          "daemonize", "ignore", "TERM", "subreaper",
          "daemonize", "ignore", "TERM", "tell", "FIFO", "hidden", "end", "daemonize", "exit", "0", "end",
          "daemonize", "subreaper", "daemonize", "tell", "FIFO", "hidden", "end", "end", "end",
        ], hidden: 2),
    ]

    /// What needs rights.
    static let privileged: [HostileWorkload] = [
      HostileWorkload(
        name: "processes of other users",
        actions: [
          "daemonize", "ignore", "TERM", "user", "12345", "tell", "FIFO", "hidden", "end",
          "child", "session", "ignore", "TERM", "user", "54321", "tell", "FIFO", "hidden", "end",
        ], hidden: 2),
      HostileWorkload(
        name: "a container left running: new user and pid namespaces, with daemons in them",
        actions: [
          "daemonize", "ignore", "TERM", "pid-namespace", "tell", "FIFO", "hidden",
          "daemonize", "tell", "FIFO", "hidden", "end", "child", "tell", "FIFO", "hidden", "end", "end",
          "exit", "0", "end",
        ], hidden: 3),
      HostileWorkload(
        name: "a container in a container",
        actions: [
          "daemonize", "ignore", "TERM", "pid-namespace", "pid-namespace", "tell", "FIFO", "hidden",
          "daemonize", "tell", "FIFO", "hidden", "end", "end", "end", "end",
        ], hidden: 2),
    ]

    @Test(
      "a container started with unshare(1) and left running", .needs(.program("unshare"), "a real one"),
      .needs(.root, "user namespaces"))
    func container() async throws {
      try await concurrently(Keeper.possible) { try await self.container($0) }
    }

    private func container(_ keeper: Keeper) async throws {
      let script =
        "setsid unshare -Urpf --mount-proc sh -c "
        + "'trap \"\" TERM; setsid sleep 50 & setsid \"$0\" ignore TERM tell \"$1\" hidden & wait' \"$0\" FIFO & "
        + "wait"
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try keeper.start(
          session,
          [
            "exec", "/bin/sh", "-c", Bytes(script.replacing("FIFO", with: fifo.path)),
            Bytes(Programs.workload),
          ])
        try await fifo.expect("hidden")
        try await session.until("its sleep is there") {
          session.members().contains { $0.name == "sleep" }
        }
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(session.members().isEmpty, "\(keeper.testDescription)")
        #expect(
          result.ending == keeper.ending(afterKilling: 128 + SIGTERM),
          "\(keeper.testDescription): \(result.errors)")
      }
    }

    @Test(
      "whoever moves to other cgroups, below its own or beside it, is not lost",
      .needs(.cgroup, "to move"), arguments: Keeper.possible)
    func otherCgroups(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let path = Bytes(fifo.path)
        let beside = "\(try #require(session.cgroup).path)/beside"
        try #require(mkdir(beside, 0o755) == 0)
        let process = try keeper.start(
          session,
          [
            "daemonize", "ignore", "TERM", "burrow", "5", "tell", path, "hidden", "end",
            "daemonize", "ignore", "TERM", "join", Bytes(beside), "tell", path, "hidden", "child", "burrow",
            "2", "tell", path, "hidden", "end", "end",
            "exit-on", "TERM", "0", "tell", path, "leader",
          ])
        try await fifo.expect("leader")
        let hidden = try await fifo.expect(3, of: "hidden")
        // They are where they say: none of them in procctl's own cgroup.
        let own = ProcTable.text("/proc/\(process.pid)/cgroup")
        for pid in hidden { #expect(ProcTable.text("/proc/\(pid)/cgroup") != own) }
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(session.members().isEmpty)
        #expect(result.ending == keeper.ending(afterKilling: 0), "\(result.errors)")
        if keeper.containment == .cgroup {
          let left = try #require(session.cgroup).children().filter { $0 != "beside" }
          #expect(left.isEmpty, "the cgroups it made below its own are gone with it")
        }
      }
    }
  }
}
