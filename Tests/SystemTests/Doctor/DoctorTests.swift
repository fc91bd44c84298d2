import Foundation
import Glibc
import Testing

extension SystemTests {
  /// `procctl doctor`: what it says, under several rights, and that it leaves nothing behind.
  @Suite struct Doctor {
    private static let rootReason = "only root can take rights and mounts away for a moment"

    private struct Report {
      let usable: Bool
      let automatic: String?
      let items: [String: [String: Any]]
      let containments: [String: [String: Any]]

      init(_ output: [UInt8]) throws {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(output)) as? [String: Any])
        self.usable = try #require(object["usable"] as? Bool)
        self.automatic = object["automatic"] as? String
        self.items = Dictionary(
          uniqueKeysWithValues: try #require(object["items"] as? [[String: Any]]).compactMap { item in
            (item["name"] as? String).map { ($0, item) }
          })
        self.containments = try #require(object["containments"] as? [String: [String: Any]])
      }

      func has(_ name: String) -> Bool? { self.items[name]?["available"] as? Bool }
      func detail(_ name: String) -> String { self.items[name]?["detail"] as? String ?? "" }
      func can(_ containment: String) -> Bool? { self.containments[containment]?["available"] as? Bool }
      func whyNot(_ containment: String) -> String {
        self.containments[containment]?["why_not"] as? String ?? ""
      }
    }

    private func report(_ session: TestSession, _ words: [Bytes], status: Int32 = 0) async throws -> Report {
      let result = try await session.start(
        Launch(String(decoding: words[0].bytes, as: UTF8.self), Array(words.dropFirst()))
      ).end()
      #expect(result.ending == .exited(status), "\(result.errors)")
      return try Report(result.output)
    }

    /// In mounts of its own, which the shell commands have changed.
    private func report(
      _ session: TestSession, changing script: String, status: Int32 = 0
    ) async throws -> Report {
      let unshare = try #require(Programs.find("unshare"))
      return try await self.report(
        session,
        [
          Bytes(unshare), "--mount", "--propagation", "private", "/bin/sh", "-ec",
          Bytes(script + "\nexec \"$0\" doctor --json"), Bytes(Programs.procctl),
        ], status: status)
    }

    @Test(
      "as root everything is there, and it agrees with what the others find", .needs(.root, Self.rootReason))
    func root() async throws {
      try await withSession { session in
        let report = try await self.report(session, [Bytes(Programs.procctl), "doctor", "--json"])
        #expect(report.usable)
        for name in [
          "pidfd_open", "pidfd_send_signal", "close_range", "subreaper", "/proc shows us", "children lists",
          "changing users", "giving capabilities", "signals to other users", "sock_diag",
          "runtime directory",
        ] {
          #expect(report.has(name) == true, "\(name): \(report.detail(name))")
        }
        #expect(report.can("session") == true)
        #expect(report.can("guard") == true)
        #expect(report.can("cgroup") == (TestCgroup.parent != nil))
        #expect(report.automatic == (TestCgroup.parent == nil ? "guard" : "cgroup"))
      }
    }

    @Test("as nobody it says which rights are missing", .needs(.root, Self.rootReason))
    func nobody() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try session.publicCopy(of: Programs.procctl)
        let report = try await self.report(
          session,
          [
            Bytes(setpriv), "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
            Bytes(program), "doctor", "--json",
          ])
        #expect(report.usable)
        for (name, reason) in [
          ("changing users", "CAP_SETGID"), ("signals to other users", "CAP_KILL"),
          ("SOCK_DESTROY", "CAP_NET_ADMIN"), ("giving capabilities", "none to give"),
          ("pid namespaces", "CAP_SYS_ADMIN"),
          // The session's directory is root's.
          ("runtime directory", session.directory),
        ] {
          if name != "runtime directory" { #expect(report.has(name) == false, "\(name)") }
          #expect(report.detail(name).contains(reason), "\(name): \(report.detail(name))")
        }
        #expect(report.can("session") == true)
        #expect(report.can("cgroup") == false)
        #expect(report.automatic == "guard")
      }
    }

    @Test("a cgroup tree that cannot be written to", .needs(.root, Self.rootReason))
    func readOnlyCgroups() async throws {
      try await withSession { session in
        let mount = try #require(session.cgroup).path.split(separator: "/").dropLast().joined(separator: "/")
        let report = try await self.report(
          session, changing: "mount --bind '/\(mount)' '/\(mount)'\nmount -o remount,bind,ro '/\(mount)'")
        #expect(report.usable)
        #expect(report.can("cgroup") == false)
        #expect(report.whyNot("cgroup").contains("Read-only file system"), "\(report.whyNot("cgroup"))")
        #expect(report.automatic == "guard")
        let without = try await self.report(session, changing: "true")
        #expect(without.can("cgroup") == true, "else this shows nothing")
      }
    }

    @Test(
      "a cgroup that may be made and not be entered is none", .needs(.root, Self.rootReason),
      .needs(.cgroup, "one of threads"))
    func threadedCgroup() async throws {
      try await withSession { session in
        let own = try #require(session.cgroup).path
        let domain = own + "/domain"
        let threads = domain + "/threads"
        for path in [domain, threads] { try #require(mkdir(path, 0o755) == 0) }
        let script =
          "echo 0 >'\(domain)/cgroup.procs'; echo threaded >'\(threads)/cgroup.type'; "
          + "echo 0 >'\(threads)/cgroup.procs'"
        let report = try await self.report(session, changing: script)
        #expect(report.can("cgroup") == false)
        #expect(report.whyNot("cgroup").contains("move a child"), "\(report.whyNot("cgroup"))")
        #expect(report.detail("type") == "threaded")
        #expect(report.automatic == "guard")
        let inDomain = try await self.report(session, changing: "echo 0 >'\(own)/cgroup.procs'")
        #expect(inDomain.can("cgroup") == true)
        // A master's `auto` does not fall for it either.
        let file = try session.write(
          "[workers.alpha]\ncommand = [\"\(Programs.workload)\"]\nready = \"none\"\n", to: "procctl.toml")
        let master = try session.start(
          Launch(
            "/bin/sh",
            ["-ec", Bytes(script + "; exec \"$0\" run \"$1\""), Bytes(Programs.procctl), Bytes(file)]))
        try await master.errors?.expect("all workers are ready")
        master.send(SIGTERM)
        let result = try await master.end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(result.errors.contains("no-cgroups"))
        for path in [threads, domain] { rmdir(path) }
        #expect(access(domain, F_OK) != 0, "nothing is left in it")
      }
    }

    @Test("without /proc it says so and exits with 69", .needs(.root, Self.rootReason))
    func noProc() async throws {
      try await withSession { session in
        let report = try await self.report(session, changing: "mount -t tmpfs none /proc", status: 69)
        #expect(!report.usable)
        #expect(report.has("/proc shows us") == false)
        #expect(report.has("pidfd_open") == true)
        #expect(report.automatic == nil)
        for containment in ["session", "guard", "cgroup", "pid-namespace"] {
          #expect(report.can(containment) == false)
          #expect(!report.whyNot(containment).isEmpty)
        }
        let hidden = try await self.report(session, changing: "mount -t proc -o hidepid=2 proc /proc")
        #expect(hidden.has("processes of others") == false)
        #expect(hidden.detail("processes of others").contains("hidepid"))
      }
    }

    @Test("user namespaces that are switched off are not promised", .needs(.root, Self.rootReason))
    func noUserNamespaces() async throws {
      try await withSession { session in
        try #require(chmod(session.directory, 0o777) == 0)
        let setpriv = try #require(Programs.find("setpriv"))
        let unshare = try #require(Programs.find("unshare"))
        let program = try session.publicCopy(of: Programs.procctl)
        // The limit of a user namespace of the test's own; the machine's stays as it is.
        let inside = { (limit: String) -> [Bytes] in
          [
            Bytes(unshare), "--user", "--map-user=4711", "--map-group=4711", "--keep-caps", "/bin/sh", "-ec",
            Bytes("\(limit)\nexec \"$0\" --ambient-caps=-all --inh-caps=-all \"$1\" doctor --json"),
            Bytes(setpriv), Bytes(program),
          ]
        }
        let off = try await self.report(session, inside("echo 0 >/proc/sys/user/max_user_namespaces"))
        #expect(off.has("by user namespaces") == false)
        #expect(off.detail("by user namespaces").contains("max_user_namespaces is 0"))
        #expect(off.can("pid-namespace") == false)
        let on = try await self.report(session, inside("true"))
        #expect(on.has("by user namespaces") == true, "\(on.detail("by user namespaces"))")
        #expect(on.can("pid-namespace") == true)
      }
    }

    @Test("a notify socket that nobody receives at is said to be dead")
    func notifySocket() async throws {
      try await withSession { session in
        var launch = Launch(Programs.procctl, ["doctor", "--json"])
        launch.environment = ["NOTIFY_SOCKET=\(session.path("nobody.sock"))", "WATCHDOG_USEC=5000000"]
        let report = try Report(try await session.start(launch).end().output)
        #expect(report.has("notify socket") == false)
        #expect(report.detail("watchdog") == "5s")
        let without = try await self.report(session, [Bytes(Programs.procctl), "doctor", "--json"])
        #expect(without.has("notify socket") == nil)
        #expect(without.detail("watchdog") == "not asked for")
      }
    }

    @Test("for people it is a line for each item, in columns")
    func text() async throws {
      try await withSession { session in
        let result = try await session.procctl("doctor").end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(result.errors.isEmpty)
        let lines = result.outputText.split(separator: "\n")
        let rows = lines.map { $0.split(separator: " ") }
        #expect(rows.contains { $0.contains("pidfd_open") && $0.last == "yes" })
        #expect(rows.last?.first == "auto")
        let columns = Set(
          lines.filter { $0.contains("pidfd") || $0.contains("subreaper") }.map { line in
            line.range(of: " yes").map { line.distance(from: line.startIndex, to: $0.lowerBound) }
              ?? line.range(of: " no").map { line.distance(from: line.startIndex, to: $0.lowerBound) } ?? -1
          })
        #expect(columns.count == 1, "\(columns)")
      }
    }

    @Test("nothing is left: no directory, no cgroup, no mount")
    func leavesNothing() async throws {
      try await withSession { session in
        let runtime = session.path("procctl")
        let mounts = ProcTable.text("/proc/self/mounts")
        for _ in 0..<2 {
          let result = try await session.procctl("doctor", "--json").end()
          let report = try Report(result.output)
          #expect(report.detail("runtime directory") == runtime, "it was looked at")
          #expect(access(runtime, F_OK) != 0)
        }
        #expect(ProcTable.text("/proc/self/mounts") == mounts)
        if let cgroup = session.cgroup {
          let children = (try? FileManager.default.contentsOfDirectory(atPath: cgroup.path)) ?? []
          #expect(!children.contains { $0.hasPrefix("procctl-probe") })
        }
        // One that was there stays.
        try #require(mkdir(runtime, 0o700) == 0)
        #expect(try await session.procctl("doctor").end().ending == .exited(0))
        #expect(access(runtime, F_OK) == 0)
      }
    }
  }
}
