import Glibc
import Testing

extension SystemTests {
  /// /proc is mounted so that it hides processes of others (hidepid, proc(5)), and one of those that are to be
  /// ended has become another's by its program's set-user-ID.
  @Suite(
    .needs(.root, "to mount /proc, and for set-user-ID"), .needs(.program("unshare"), "mounts of its own"),
    .needs(.program("setpriv"), "to give up root after that"))
  struct HiddenByMount {
    private static let nobody: [Bytes] = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]

    private func asNobody(_ words: [Bytes]) throws -> Launch {
      Launch(try #require(Programs.find("setpriv")), Self.nobody + words)
    }

    /// Where /proc hides, as nobody.
    private func hidden(_ option: String, _ words: [Bytes]) throws -> Launch {
      let script =
        "mount -t proc -o hidepid=\(option) proc /proc; "
        + "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$0\" \"$@\""
      return Launch(
        try #require(Programs.find("unshare")),
        ["--mount", "--propagation", "private", "/bin/sh", "-ec", Bytes(script)] + words)
    }

    /// A leader that obeys, and below it one that is deaf and hidden.
    ///
    /// - Parameter more: What the hidden one does first.
    private func words(
      _ session: TestSession, _ fifo: Announcements, _ more: [Bytes] = []
    ) throws -> [Bytes] {
      let program = try session.publicWorkload()
      try #require(chmod(program, 0o755) == 0)
      let other = session.path("other")
      try #require(rename(program, other) == 0 && chmod(other, 0o4755) == 0)
      return [Bytes(try session.publicWorkload()), "child", "exec", Bytes(other)] + more + [
        "ignore", "TERM", "tell", Bytes(fifo.path), "hidden", "hold", "end", "exit-on", "TERM", "0", "tell",
        Bytes(fifo.path), "leader",
      ]
    }

    private func isVisible(_ pid: pid_t, _ session: TestSession, _ option: String) async throws -> Bool {
      let look = try session.start(try self.hidden(option, ["/bin/cat", "/proc/\(pid)/stat"]))
      return try await look.end().ending == .exited(0)
    }

    @Test("spawn ends it all the same", arguments: ["1", "2"])
    func spawn(_ option: String) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let procctl = Bytes(try session.publicCopy(of: Programs.procctl))
        let process = try session.start(
          try self.hidden(option, [procctl, "spawn", "--grace", "300ms", "--"] + self.words(session, fifo)))
        let said = try await fifo.expect("hidden", "leader")
        #expect(try await !self.isVisible(try #require(said["hidden"]), session, option))
        #expect(try await self.isVisible(try #require(said["leader"]), session, option), "a control")
        process.send(SIGTERM)
        let result = try await process.end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(session.members().isEmpty)
      }
    }

    @Test("kill-group ends it where it may", arguments: ["1", "2"])
    func killGroup(_ option: String) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let words = try self.words(session, fifo)
        let started = try session.start(try self.asNobody(words))
        try await fifo.expect("hidden", "leader")
        let procctl = Bytes(try session.publicCopy(of: Programs.procctl))
        let result = try await session.start(
          try self.hidden(option, [procctl, "kill-group", "--grace", "300ms", "\(started.pid)"])
        ).end()
        #expect(result.ending == .exited(0), "\(result.errors)")
        #expect(session.members().isEmpty)
      }
    }

    @Test("kill-group says of whom it may not end that it is there", arguments: ["1", "2"])
    func killGroupRefused(_ option: String) async throws {
      try await withSession { session in
        let fifo = try session.announcements()
        let words = try self.words(session, fifo, ["user", "0"])
        let started = try session.start(try self.asNobody(words))
        let pid = try #require(try await fifo.expect("hidden", "leader")["hidden"])
        let procctl = Bytes(try session.publicCopy(of: Programs.procctl))
        let result = try await session.start(
          try self.hidden(option, [procctl, "kill-group", "--grace", "300ms", "\(started.pid)"])
        ).end()
        #expect(result.ending == .exited(125))
        #expect(result.errors.contains("survived: pid \(pid) "), "\(result.errors)")
        #expect(result.errors.contains("hidepid"), "\(result.errors)")
        #expect(session.members().map(\.pid) == [pid])
        let again = try await session.start(try self.hidden(option, [procctl, "kill-group", "\(pid)"])).end()
        #expect(again.ending == .exited(125), "it is there")
        #expect(again.errors.contains("\(pid)"), "\(again.errors)")
        try await session.sweep()
      }
    }
  }
}
