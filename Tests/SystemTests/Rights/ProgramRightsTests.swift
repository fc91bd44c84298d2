import Glibc
import Testing

extension SystemTests {
  /// The rights of a program, by `procctl spawn` and by a worker's settings: seen from inside it.
  @Suite struct ProgramRights {
    struct Setting: Sendable, CustomTestStringConvertible {
      var options: [Bytes]
      var lines: [String]
      var expected: String
      var read: @Sendable (InsideView) -> String?

      var testDescription: String { self.lines.joined(separator: ", ") }
    }

    static let settings: [Setting] = [
      Setting(
        options: ["--no-new-privs"], lines: ["no-new-privileges = true"], expected: "1",
        read: { $0["NoNewPrivs"] }),
      Setting(
        options: ["--umask", "027"], lines: ["umask = \"027\""], expected: "0027", read: { $0["Umask"] }),
      Setting(options: ["--nice", "7"], lines: ["nice = 7"], expected: "7", read: { $0.nice }),
      Setting(
        options: ["--oom-score-adj", "456"], lines: ["oom-score = 456"], expected: "456",
        read: { $0.outOfMemoryScore }),
      Setting(
        options: ["--limit", "nofile=64:128", "--limit", "core=0"],
        lines: ["limits = { nofile = \"64:128\", core = 0 }"], expected: "64 128",
        read: { $0.limit("open files") }),
      Setting(
        options: ["--limit", "stack=1048576:2097152"], lines: ["limits = { stack = \"1048576:2097152\" }"],
        expected: "1048576 2097152", read: { $0.limit("stack size") }),
    ]

    static let rootSettings: [Setting] = [
      Setting(
        options: ["--nice", "-5"], lines: ["nice = -5"], expected: "-5", read: { $0.nice }),
      Setting(
        options: ["--user", "nobody"], lines: ["user = \"nobody\""], expected: "65534 65534 65534 65534",
        read: { $0["Uid"] }),
      Setting(
        options: ["--user", "4711", "--group", "daemon"], lines: ["user = 4711", "group = \"daemon\""],
        expected: "1 1 1 1", read: { $0["Gid"] }),
    ]

    private static let rootReason = "only root may give rights of all kinds"

    private func verify(_ setting: Setting, _ face: Face) async throws {
      try await withSession { session in
        let ours = setting.read(try await session.ownView())
        let with = try await session.view(by: face, options: setting.options, lines: setting.lines)
        let without = try await session.view(by: face, options: [], lines: [])
        #expect(setting.read(with) == setting.expected)
        #expect(setting.read(without) == ours, "without it, the program has what we have")
        #expect(ours != setting.expected, "else this shows nothing")
      }
    }

    @Test("each setting is what the program sees", arguments: Self.settings, Face.allCases)
    func setting(_ setting: Setting, _ face: Face) async throws { try await self.verify(setting, face) }

    @Test(
      "each setting that takes rights is what the program sees", .needs(.root, Self.rootReason),
      arguments: Self.rootSettings, Face.allCases)
    func rootSetting(_ setting: Setting, _ face: Face) async throws { try await self.verify(setting, face) }

    /// kill is bit 5, net_bind_service 10.
    @Test(
      "capabilities are exactly those asked for, in all five sets", .needs(.root, Self.rootReason),
      arguments: Face.allCases)
    func capabilities(_ face: Face) async throws {
      try await withSession { session in
        let both: [Bytes] = ["--ambient-caps", "net_bind_service,CAP_KILL"]
        let line = "capabilities = [\"net_bind_service\", \"CAP_KILL\"]"
        let user = try await session.view(
          by: face, options: ["--user", "nobody"] + both, lines: ["user = \"nobody\"", line])
        let root = try await session.view(by: face, options: both, lines: [line])
        let none = try await session.view(
          by: face, options: ["--user", "nobody", "--ambient-caps", ""],
          lines: ["user = \"nobody\"", "capabilities = []"])
        let rootNone = try await session.view(
          by: face, options: ["--ambient-caps", ""], lines: ["capabilities = []"])
        for name in InsideView.capabilitySets {
          #expect(user.capabilities[name] == 0x420, "nobody \(name)")
          #expect(root.capabilities[name] == 0x420, "root \(name)")
          #expect(none.capabilities[name] == 0, "none \(name)")
          #expect(rootNone.capabilities[name] == 0, "root without \(name)")
        }
        #expect(user["Uid"] == "65534 65534 65534 65534")
        #expect(root["Uid"] == "0 0 0 0")
      }
    }

    @Test(
      "another user has no capability, and the bounding set stays ours", .needs(.root, Self.rootReason),
      arguments: Face.allCases)
    func otherUser(_ face: Face) async throws {
      try await withSession { session in
        let ours = try await session.ownView().capabilities
        let nobody = try await session.view(
          by: face, options: ["--user", "nobody"], lines: ["user = \"nobody\""]
        ).capabilities
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] { #expect(nobody[name] == 0, "\(name)") }
        #expect(nobody["CapBnd"] == ours["CapBnd"])
        let same = try await session.view(by: face, options: [], lines: []).capabilities
        #expect(same == ours, "without a user, the program has what we have")
        #expect(ours["CapEff"] != 0)
      }
    }

    @Test(
      "what was inherited by somebody who is not root is not handed on to another user",
      .needs(.root, Self.rootReason), arguments: Face.allCases)
    func ambientOfOurs(_ face: Face) async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try session.publicCopy(of: Programs.procctl)
        // setuid, setgid and kill are bits 7, 6 and 5.
        let prelude: [Bytes] = [
          Bytes(setpriv), "--reuid=4711", "--regid=4711", "--groups=4,24",
          "--inh-caps=-all,+setuid,+setgid,+kill", "--ambient-caps=-all,+setuid,+setgid,+kill",
        ]
        let other = try await session.view(
          by: face, options: ["--user", "nobody"], lines: ["user = \"nobody\""], prelude: prelude,
          program: program)
        let same = try await session.view(
          by: face, options: [], lines: [], prelude: prelude, program: program)
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
          #expect(other.capabilities[name] == 0, "\(name)")
          #expect(same.capabilities[name] == 0xe0, "\(name): without a user it inherits")
        }
        #expect(["", "65534"].contains(other["Groups"]))
        #expect(same["Groups"] == "4 24")
      }
    }

    @Test(
      "a set-user-ID program gains nothing under no_new_privs, and does without it",
      .needs(.root, Self.rootReason), arguments: Face.allCases)
    func setUserIdentifier(_ face: Face) async throws {
      try await withSession { session in
        let program = try session.publicCopy(of: "/bin/cat")
        try #require(chmod(program, 0o4755) == 0)
        let command = [Bytes(program)] + InsideView.files.map { Bytes($0) }
        let with = try await session.view(
          by: face, options: ["--user", "nobody", "--no-new-privs"],
          lines: ["user = \"nobody\"", "no-new-privileges = true"], command: command)
        let without = try await session.view(
          by: face, options: ["--user", "nobody"], lines: ["user = \"nobody\""], command: command)
        #expect(with["Uid"] == "65534 65534 65534 65534")
        #expect(with.capabilities["CapPrm"] == 0)
        #expect(without["Uid"] == "65534 0 0 0", "else nothing was gained to begin with")
        #expect(without.capabilities["CapPrm"] != 0)
      }
    }

    @Test(
      "capabilities that are not ours to give are named, and nothing is started",
      .needs(.root, Self.rootReason))
    func notOurs() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try session.publicCopy(of: Programs.procctl)
        let touched = session.path("touched")
        let nobody: [Bytes] = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
        let file = try session.write(
          "[workers.inside]\ncommand = [\"/usr/bin/touch\", \"\(touched)\"]\nready = \"none\"\n"
            + "capabilities = [\"kill\", \"net_admin\"]\n", to: "procctl.toml")
        for (arguments, status) in [
          (["spawn", "--ambient-caps", "kill,net_admin", "--", "/usr/bin/touch", Bytes(touched)], 125),
          (["run", Bytes(file)], 77),
        ] as [([Bytes], Int32)] {
          let result = try await session.start(Launch(setpriv, nobody + [Bytes(program)] + arguments)).end()
          #expect(result.ending == .exited(status), "\(result.errors)")
          #expect(result.errors.contains("does not have (kill, net_admin)"), "\(result.errors)")
          #expect(result.errors.split(separator: "\n").count == 1)
          #expect(access(touched, F_OK) != 0)
        }
        let root = try await session.procctl(
          "spawn", "--ambient-caps", "kill,net_admin", "--", "/usr/bin/touch", Bytes(touched)
        ).end()
        #expect(root.ending == .exited(0), "root may: \(root.errors)")
        #expect(access(touched, F_OK) == 0)
      }
    }

    @Test("the scores of procctl itself do not change with those of the command")
    func ownScores() async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let process = try session.procctl([
          "spawn", "--nice", "3", "--oom-score-adj", "321", "--", Bytes(Programs.workload), "tell",
          Bytes(fifo.path), "leader",
        ])
        let pid = try #require(try await fifo.expect("leader")["leader"])
        let ours = ProcTable.text("/proc/self/oom_score_adj")
        #expect(ProcTable.text("/proc/\(pid)/oom_score_adj") == "321\n")
        #expect(ProcTable.text("/proc/\(process.pid)/oom_score_adj") == ours)
        #expect(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(pid)) == 3)
        #expect(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(process.pid)) != 3)
        process.send(SIGTERM)
        _ = try await process.end()
      }
    }

    @Test(
      "a score or limit that takes rights we lack fails at its stage", .needs(.root, Self.rootReason))
    func refused() async throws {
      try await withSession { session in
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try session.publicCopy(of: Programs.procctl)
        for (options, stage) in [
          (["--nice", "-5"], "nice value to -5"),
          (["--oom-score-adj", "-500"], "out-of-memory score to -500"),
          (["--limit", "nofile=4000000"], "resource limits (nofile)"),
        ] as [([Bytes], String)] {
          let result = try await session.start(
            Launch(
              setpriv,
              [
                "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", Bytes(program),
                "spawn",
              ]
                + options + ["--", "/bin/true"])
          ).end()
          #expect(result.ending == .exited(125), "\(options)")
          #expect(result.errors.contains(stage), "\(result.errors)")
        }
      }
    }

    @Test("values that cannot be are usage errors")
    func usage() async throws {
      try await withSession { session in
        for (option, value) in [
          ("--umask", "8"), ("--umask", "1777"), ("--umask", ""), ("--nice", "20"), ("--nice", "-21"),
          ("--nice", "x"), ("--oom-score-adj", "1001"), ("--oom-score-adj", "-1001"),
        ] {
          let result = try await session.procctl("spawn", Bytes(option), Bytes(value), "--", "true").end()
          #expect(result.ending == .exited(64), "\(option) \(value)")
          #expect(result.errors.contains(option), "\(result.errors)")
        }
      }
    }
  }
}
