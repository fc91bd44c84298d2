import Glibc
import Testing

extension SystemTests {
  /// Surroundings in which procctl has to work with less than usual.
  @Suite struct HostileGround {
    /// One escaped and deaf daemon, and a leader that goes on TERM.
    private static let workload = HostileWorkload(
      name: "a deaf daemon",
      actions: ["daemonize", "ignore", "TERM", "tell", "FIFO", "hidden", "end"])

    /// Runs the workload and ends it: nobody must be left.
    private static func keep(
      _ session: TestSession, _ keeper: Keeper, prelude: [Bytes] = [], program: String = Programs.procctl,
      workload: String = Programs.workload, sourceLocation: SourceLocation = #_sourceLocation,
      before: (TestProcess) async throws -> Void = { _ in }
    ) async throws -> TestProcess.Result {
      let fifo = try session.announcements()
      let process = try keeper.start(
        session, Self.workload.words(fifo), prelude: prelude, program: program, workload: workload)
      _ = try await Self.workload.stand(fifo)
      try await before(process)
      process.send(SIGTERM)
      let result = try await process.end()
      #expect(session.members().isEmpty, sourceLocation: sourceLocation)
      #expect(
        result.ending == keeper.ending(afterKilling: 0), "\(keeper.testDescription): \(result.errors)",
        sourceLocation: sourceLocation)
      return result
    }

    /// What befalls procctl before it starts.
    private static let preludes: [(name: String, actions: [Bytes])] = [
      ("SIGCHLD ignored", ["ignore", "CHLD"]),
      ("every signal blocked", ["block-all"]),
      ("24 descriptors", ["limit-files", "24"]),
      ("all of it", ["ignore", "CHLD", "ignore", "HUP", "block-all", "limit-files", "24"]),
    ]

    @Test("nobody is left when procctl is started with", arguments: preludes.map(\.name))
    func started(_ name: String) async throws {
      let prelude = try #require(Self.preludes.first { $0.name == name }).actions
      try await concurrently(Keeper.possible) { keeper in
        try await withSession { session in _ = try await Self.keep(session, keeper, prelude: prelude) }
      }
    }

    @Test("control: these befall a program, and are inherited")
    func controlPreludes() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        var launch = Launch(Programs.workload, ["tell", Bytes(fifo.path), "up"])
        launch.prelude = try #require(Self.preludes.last).actions
        let process = try session.start(launch)
        try await fifo.expect("up")
        #expect(ProcTable.status(process.pid, "SigBlk")?.hasPrefix("fffffff") == true)
        #expect(ProcTable.status(process.pid, "SigIgn")?.hasSuffix("10001") == true)
        #expect((ProcTable.text("/proc/\(process.pid)/limits") ?? "").contains(" 24 "))
        process.send(SIGKILL)
        try await process.end()
      }
    }

    @Test("without standard descriptors nobody is left")
    func noDescriptors() async throws {
      try await concurrently(Keeper.possible) { try await self.noDescriptors($0) }
    }

    private func noDescriptors(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try self.start(session, keeper, fifo) { launch in
          launch.input = .closed
          launch.output = .closed
          launch.errors = .closed
        }
        _ = try await Self.workload.stand(fifo)
        process.send(SIGTERM)
        let ending = try await process.end().ending
        #expect(ending == keeper.ending(afterKilling: 0), "\(keeper.testDescription)")
        #expect(session.members().isEmpty, "\(keeper.testDescription)")
      }
    }

    /// As the keeper would, with changes to the launch.
    private func start(
      _ session: TestSession, _ keeper: Keeper, _ fifo: Announcements, change: (inout Launch) -> Void
    ) throws -> TestProcess {
      var launch = try keeper.launch(session, Self.workload.words(fifo))
      change(&launch)
      return try session.start(launch)
    }

    @Test(
      "with an empty environment nobody is left", .needs(.cgroup, "to know them by it"),
      .needs(.root, "directories of its own in place of the machine's"))
    func noEnvironment() async throws {
      try await concurrently(Keeper.possible) { try await self.noEnvironment($0) }
    }

    private func noEnvironment(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try self.start(session, keeper, fifo) { launch in
          // Without variables it takes /run/procctl and /var/lib/procctl: here they are this test's.
          launch.arguments =
            [
              "--mount", "--propagation", "private", "/bin/sh", "-ec",
              "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/lib; exec /usr/bin/env -i \"$@\"", "sh",
              Bytes(launch.program),
            ] + launch.arguments
          launch.program = "/usr/bin/unshare"
        }
        _ = try await Self.workload.stand(fifo)
        #expect(ProcTable.bytes("/proc/\(process.pid)/environ")?.isEmpty == true)
        process.send(SIGTERM)
        let ending = try await process.end().ending
        #expect(ending == keeper.ending(afterKilling: 0), "\(keeper.testDescription)")
        #expect(session.members().isEmpty, "\(keeper.testDescription)")
      }
    }

    @Test("in a directory that was deleted nobody is left")
    func noDirectory() async throws {
      try await concurrently(Keeper.possible) { try await self.noDirectory($0) }
    }

    private func noDirectory(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try self.start(session, keeper, fifo) { launch in
          let there = session.path("there")
          launch.arguments =
            [
              "-c", "mkdir \"$0\" && cd \"$0\" && rmdir \"$0\" && exec \"$@\"", Bytes(there),
              Bytes(launch.program),
            ]
            + launch.arguments
          launch.program = "/bin/sh"
        }
        _ = try await Self.workload.stand(fifo)
        if case .spawn = keeper {
          #expect(ProcTable.link("/proc/\(process.pid)/cwd")?.hasSuffix("(deleted)") == true)
        }
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(
          result.ending == keeper.ending(afterKilling: 0), "\(keeper.testDescription): \(result.errors)")
        #expect(session.members().isEmpty, "\(keeper.testDescription)")
      }
    }

    @Test("when the terminal hangs up nobody is left", arguments: Keeper.possible)
    func hangUp(_ keeper: Keeper) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        var terminal: TestTerminal? = try TestTerminal()
        let process = try self.start(session, keeper, fifo) { launch in launch.terminal = terminal?.path }
        _ = try await Self.workload.stand(fifo)
        terminal = nil
        let ending = try await process.end().ending
        switch keeper {
        case .spawn: #expect(ending == .exited(128 + SIGHUP), "the leader's own end")
        case .run: #expect(ending == .exited(3))
        }
        #expect(session.members().isEmpty)
      }
    }

    @Test(
      "in a full cgroup, where no process and no thread can be made, everyone is ended all the same",
      .needs(.root, "a limit of processes"), .enabled(if: ProcessLimit.parent != nil, "the pids controller"),
      arguments: Keeper.possible)
    func full(_ keeper: Keeper) async throws {
      try await withSession { session in
        let limit = try ProcessLimit(session, 100)
        _ = try await Self.keep(session, keeper, prelude: limit.actions) { process in
          // Procctl, the leader, the daemon: not one more, from now on.
          let count = try #require(limit.count)
          #expect(count >= 3)
          try limit.set("\(count)")
          let refused = try session.start(
            Launch(Programs.workload, limit.actions + ["child", "end", "exit", "0"]))
          #expect(try await refused.end().ending == .exited(99), "control: nobody can fork there")
        }
        try await limit.remove(session)
      }
    }

    // MARK: Without rights

    @Test(
      "where the cgroups are read-only, auto takes guards and says so, and cgroup refuses",
      .needs(.root, "a mount of its own"), .needs(.cgroup, "to take it away"))
    func readOnlyCgroups() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let file = try session.write(
          "[workers.a]\ncommand = [\"\(Programs.workload)\", \"tell\", \"\(fifo.path)\", \"up\"]\n",
          to: "auto.toml")
        let strict = try session.write(
          "[workers.a]\ncommand = [\"\(Programs.workload)\"]\ncontain = \"cgroup\"\n", to: "strict.toml")
        let run = try self.readOnly(session, ["run", Bytes(file)])
        try await fifo.expect("up")
        run.send(SIGTERM)
        let automatic = try await run.end()
        #expect(automatic.ending == .exited(0))
        #expect(automatic.errors.contains("workers are contained by guards"), "\(automatic.errors)")
        #expect(automatic.errors.contains("Read-only file system"), "and why")

        let refused = try await self.readOnly(session, ["run", Bytes(strict)]).end()
        #expect(refused.ending == .exited(69))
        #expect(refused.errors.contains("contain a in a cgroup"), "\(refused.errors)")
        let spawned = try await self.readOnly(
          session, ["spawn", "--contain", "cgroup", "--", Bytes(Programs.workload), "exit", "0"]
        ).end()
        #expect(spawned.ending == .exited(125))
        #expect(spawned.errors.contains("Read-only file system"), "\(spawned.errors)")
      }
    }

    /// Procctl where the cgroup v2 tree cannot be written to.
    private func readOnly(_ session: TestSession, _ arguments: [Bytes]) throws -> TestProcess {
      let mount = try #require(TestCgroup.mountPoint)
      return try session.start(
        Launch(
          try #require(Programs.find("unshare")),
          [
            "--mount", "--propagation", "private", "/bin/sh", "-c",
            "mount -o remount,bind,ro \"$0\" && exec \"$@\"", Bytes(mount), Bytes(Programs.procctl),
          ] + arguments))
    }

    @Test("as nobody, nobody is left, and cgroup is refused", .needs(.root, "to become nobody"))
    func noRights() async throws {
      try await withSession { session in
        chmod(session.directory, 0o777)
        let program = try session.publicCopy(of: Programs.procctl)
        let workload = try session.publicWorkload()
        for keeper in [Keeper.spawn(.session), .run(.session)] {
          let own = try session.announcements("fifo-\(keeper.testDescription.prefix(3))")
          let process = try keeper.start(
            session, Self.workload.words(own), prelude: ["user", "65534"], program: program,
            workload: workload)
          _ = try await Self.workload.stand(own)
          #expect(ProcTable.status(process.pid, "Uid") == "65534 65534 65534 65534")
          process.send(SIGTERM)
          let result = try await process.end()
          #expect(result.ending == keeper.ending(afterKilling: 0), "\(result.errors)")
          #expect(session.members().isEmpty)
        }
        guard TestCgroup.parent != nil else { return }
        for (keeper, status) in [(Keeper.spawn(.cgroup), 125), (.run(.cgroup), 77)] as [(Keeper, Int32)] {
          let process = try keeper.start(
            session, ["exit", "0"], prelude: ["user", "65534"], program: program, workload: workload)
          let result = try await process.end()
          #expect(result.ending == .exited(status), "\(result.errors)")
          #expect(result.errors.contains("Permission denied"), "\(result.errors)")
        }
      }
    }
  }
}
