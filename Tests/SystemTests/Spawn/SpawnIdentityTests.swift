import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn`: what changes in the child before its program starts, as the kernel shows it.
  @Suite struct SpawnIdentity {
    private static let rootReason = "only root may become somebody else"

    /// The /proc/self/status of a command started with these options.
    private func status(_ session: TestSession, _ options: Bytes...) async throws -> StatusText {
      let result = try await session.procctl(["spawn"] + options + ["--", "/bin/cat", "/proc/self/status"])
        .end()
      #expect(result.ending == .exited(0), "\(result.errors)")
      return StatusText(result.outputText)
    }

    @Test("--chdir and --env")
    func surroundings() async throws {
      try await withSession { session in
        let result = try await session.procctl(
          "spawn", "--chdir", Bytes(session.directory), "--env", "GIVEN=a=b c", "--env", "EMPTY=", "--",
          "/bin/sh", "-c",
          "/bin/pwd; echo \"$GIVEN\"; echo \"${EMPTY-unset}\""
        ).end()
        #expect(result.outputText == "\(session.directory)\na=b c\n\n")
      }
    }

    @Test("variables that are meant for procctl alone are not handed on")
    func serviceVariables() async throws {
      try await withSession { session in
        var launch = Launch(Programs.procctl, ["spawn", "--", "/usr/bin/env"])
        launch.environment = [
          "NOTIFY_SOCKET=/nowhere", "WATCHDOG_USEC=1000000", "LISTEN_FDS=1", "LISTEN_PID=1", "KEPT=1",
        ]
        let lines = try await session.start(launch).end().outputText.split(separator: "\n")
        #expect(lines.contains("KEPT=1"))
        for name in ["NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_"] {
          #expect(!lines.contains { $0.hasPrefix(name) }, "\(name)")
        }
      }
    }

    @Test("--limit sets soft and hard limits")
    func limits() async throws {
      try await withSession { session in
        let result = try await session.procctl(
          "spawn", "--limit", "nofile=64:128", "--limit", "core=0", "--", "/bin/cat", "/proc/self/limits"
        ).end()
        let lines = result.outputText.split(separator: "\n").map { $0.split { $0 == " " } }
        #expect(lines.contains { $0.starts(with: ["Max", "open", "files", "64", "128"]) })
        #expect(lines.contains { $0.starts(with: ["Max", "core", "file", "size", "0", "0"]) })
      }
    }

    @Test("--no-new-privs")
    func noNewPrivileges() async throws {
      try await withSession { session in
        let without = try await self.status(session)
        let with = try await self.status(session, "--no-new-privs")
        #expect(without["NoNewPrivs"] == "0")
        #expect(with["NoNewPrivs"] == "1")
      }
    }

    @Test(
      "--user and --group, by number and name, with no supplementary groups of ours",
      .needs(.root, Self.rootReason))
    func user() async throws {
      try await withSession { session in
        let nobody = try await self.status(session, "--user", "nobody")
        #expect(nobody["Uid"] == "65534 65534 65534 65534")
        #expect(nobody["Gid"] == "65534 65534 65534 65534")
        #expect(["", "65534"].contains(nobody["Groups"]))
        #expect(nobody["CapEff"] == "0000000000000000")
        #expect(nobody["CapPrm"] == "0000000000000000")
        let numbers = try await self.status(session, "--user", "4711", "--group", "daemon")
        #expect(numbers["Uid"] == "4711 4711 4711 4711")
        #expect(numbers["Gid"] == "1 1 1 1")
      }
    }

    @Test("a user's processes are ended like any other's", .needs(.root, Self.rootReason))
    func userStop() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let workload = Misbehaving(fifo: try session.announcements())
        // Programs may lie where only root gets to: this copy can be run by anybody.
        let program = try session.publicWorkload()
        let process = try session.procctl(
          ["spawn", "--user", "nobody", "--grace", "1s", "--", Bytes(program)] + workload.actions)
        let pids = try await workload.start()
        #expect(ProcTable.status(try #require(pids["daemon"]), "Uid") == "65534 65534 65534 65534")
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(0))
      }
    }

    @Test("--ambient-caps leaves these capabilities and no others", .needs(.root, Self.rootReason))
    func capabilities() async throws {
      try await withSession { session in
        // net_bind_service is bit 10.
        let user = try await self.status(
          session, "--user", "nobody", "--ambient-caps", "net_bind_service", "--no-new-privs")
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
          #expect(user[set] == "0000000000000400", "\(set)")
        }
        let root = try await self.status(session, "--ambient-caps", "net_bind_service")
        #expect(root["CapAmb"] == "0000000000000400")
        #expect(root["CapEff"] == "0000000000000400")
      }
    }

    @Test("what does not exist is named")
    func unknown() async throws {
      try await withSession { session in
        for (option, value) in [
          ("--user", "no-such-user-here"), ("--ambient-caps", "fly"), ("--chdir", "/nowhere"),
        ] {
          let result = try await session.procctl("spawn", Bytes(option), Bytes(value), "--", "true").end()
          #expect(result.ending == .exited(125))
          #expect(result.errors.contains(value), "\(result.errors)")
        }
        let both = try await session.procctl("spawn", "--limit", "nofile=20:10", "--", "true").end()
        #expect(both.ending == .exited(125))
        #expect(both.errors.contains("limit"), "\(both.errors)")
      }
    }

    @Test(
      "what a plain user may not do fails, and the message names the stage", .needs(.root, Self.rootReason))
    func refused() async throws {
      try await withSession { session in
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try session.publicCopy(of: Programs.procctl)
        for (options, stage) in [
          (["--user", "0"], "groups"), (["--limit", "nofile=2000000:2000000"], "limit"),
          (["--ambient-caps", "net_admin"], "capabilit"),
        ] as [([Bytes], String)] {
          let result = try await session.start(
            Launch(
              setpriv,
              [
                "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
                Bytes(program), "spawn",
              ]
                + options + ["--", "true"])
          ).end()
          #expect(result.ending == .exited(125), "\(options)")
          #expect(result.errors.contains(stage), "\(result.errors)")
        }
      }
    }

    @Test(
      "--contain cgroup puts the command in one of its own, which is gone afterwards",
      .needs(.cgroup, "cgroups need rights"))
    func cgroup() async throws {
      try await withSession { session in
        let own = try #require(session.cgroup)
        let workload = Misbehaving(fifo: try session.announcements())
        let process = try session.procctl(
          ["spawn", "--contain", "cgroup", "--grace", "1s", "--", Bytes(Programs.workload)]
            + workload.actions)
        let pids = try await workload.start()
        for pid in pids.values {
          let line = ProcTable.text("/proc/\(pid)/cgroup") ?? ""
          #expect(line.contains("procctl-spawn-\(process.pid)"))
        }
        process.send(SIGTERM)
        #expect(try await process.end().ending == .exited(0))
        #expect(access("\(own.path)/procctl-spawn-\(process.pid)", F_OK) != 0)
      }
    }

    @Test(
      "--contain cgroup where there can be none is an error and nothing is started",
      .needs(.root, Self.rootReason))
    func noCgroup() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try session.publicCopy(of: Programs.procctl)
        let result = try await session.start(
          Launch(
            setpriv,
            [
              "--reuid=65534", "--regid=65534", "--clear-groups", Bytes(program), "spawn", "--contain",
              "cgroup", "--", "/usr/bin/touch", Bytes(session.path("started")),
            ])
        ).end()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("cgroup"))
        #expect(access(session.path("started"), F_OK) != 0)
      }
    }
  }
}
