import Glibc
import Testing

extension SystemTests {
  /// `procctl spawn`: nothing of what passes between the caller and the command is changed.
  @Suite struct SpawnTransparency {
    @Test("standard input, output and error pass every byte")
    func streams() async throws {
      try await withSession { session in
        let every = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        var launch = Launch(
          Programs.procctl, ["spawn", "--", "/bin/sh", "-c", "tee /dev/stderr"])
        launch.input = .pipe
        let process = try session.start(launch)
        process.write(every)
        process.closeInput()
        let result = try await process.end()
        #expect(result.ending == .exited(0))
        #expect(result.output == every)
        #expect(process.errors?.bytes == every)
      }
    }

    @Test("more than pipes hold passes, at the reader's pace")
    func muchOutput() async throws {
      try await withSession { session in
        let result = try await session.procctl("spawn", "--", "head", "-c", "3000000", "/dev/zero").end()
        #expect(result.ending == .exited(0))
        #expect(result.output.count == 3_000_000)
      }
    }

    @Test("closed standard streams harm nobody", arguments: [[0], [1], [2], [0, 1, 2]])
    func closedStreams(_ closed: [Int]) async throws {
      try await withSession { session in
        let file = try session.write("", to: "out")
        var launch = Launch(
          Programs.procctl,
          ["spawn", "--", "/bin/sh", "-c", "ls -l /proc/self/fd > \"$1\"; exit 5", "sh", Bytes(file)])
        if closed.contains(0) { launch.input = .closed }
        if closed.contains(1) { launch.output = .closed }
        if closed.contains(2) { launch.errors = .closed }
        let result = try await session.start(launch).end()
        #expect(result.ending == .exited(5))
        // What takes a closed one's place is /dev/null and none of procctl's own files.
        let listing = ProcTable.text(file) ?? ""
        for line in listing.split(separator: "\n") where line.contains("->") {
          #expect(!line.contains("anon_inode"), "\(line)")
        }
        if closed == [0] { #expect(listing.contains("0 -> /dev/null")) }
      }
    }

    /// Not valid in UTF-8: a lone continuation byte, a cut sequence, Latin-1.
    private static let foreign = Bytes([0x80, 0x41, 0xC3, 0x20, 0xE9, 0xFF, 0x0A, 0x22])

    @Test("arguments and environment arrive in the bytes they were given in")
    func foreignBytes() async throws {
      try await withSession { session in
        var launch = Launch(
          Programs.procctl,
          [
            "spawn", "--", "/bin/sh", "-c",
            "tr '\\0' '\\n' < /proc/self/cmdline | tail -n 0; cat /proc/$$/cmdline", "sh", Self.foreign, "",
            "--", "--json",
          ])
        launch.environment = [Bytes("FOREIGN=") + Self.foreign]
        let result = try await session.start(launch).end()
        #expect(result.ending == .exited(0))
        let arguments = result.output.split(separator: 0, omittingEmptySubsequences: false).map { Array($0) }
        #expect(
          Array(arguments.dropFirst(3)) == [
            Array("sh".utf8), Self.foreign.bytes, [], Array("--".utf8), Array("--json".utf8), [],
          ])

        launch.arguments = ["spawn", "--", "/bin/cat", "/proc/self/environ"]
        let environment = try await session.start(launch).end()
        #expect(
          environment.output.split(separator: 0).contains {
            Array($0) == Array("FOREIGN=".utf8) + Self.foreign.bytes
          })
      }
    }

    @Test("a program whose name is not UTF-8 is found")
    func foreignName() async throws {
      try await withSession { session in
        let path = Bytes(session.directory) + "/" + Bytes([0x70, 0xFF, 0xC3])
        let linked = path.bytes.map { CChar(bitPattern: $0) } + [0]
        try #require(symlink("/bin/true", linked) == 0)
        defer { unlink(linked) }
        let result = try await session.procctl(["spawn", "--", path]).end()
        #expect(result.ending == .exited(0))
      }
    }

    @Test("the command starts with no signal ignored or blocked, whatever procctl inherited")
    func signalsAreReset() async throws {
      try await withSession { session in
        var launch = Launch(Programs.procctl, ["spawn", "--", "/bin/cat", "/proc/self/status"])
        launch.prelude = [
          "ignore", "TERM", "ignore", "HUP", "ignore", "PIPE", "ignore", "40", "ignore", "CHLD", "block",
          "USR1", "block",
          "CHLD", "block", "45",
        ]
        // The control: the same without procctl keeps both.
        var bare = launch
        bare.program = "/bin/cat"
        bare.arguments = ["/proc/self/status"]
        let inherited = StatusText(try await session.start(bare).end().outputText)
        let ignored = try #require(UInt64(inherited["SigIgn"] ?? "", radix: 16))
        #expect(ignored & ~0x1_8000_0000 != 0)
        #expect(inherited["SigBlk"] != "0000000000000000")

        let result = try await session.start(launch).end()
        #expect(result.ending == .exited(0))
        let status = StatusText(result.outputText)
        for mask in ["SigBlk", "SigIgn", "SigCgt", "SigPnd"] {
          let signals = try #require(UInt64(status[mask] ?? "", radix: 16))
          // 32 and 33 are glibc's own, and its posix_spawn sets them to be ignored.
          #expect(signals & ~0x1_8000_0000 == 0, "\(mask)")
        }
      }
    }

    @Test("the command gets the three standard descriptors and no other")
    func descriptors() async throws {
      try await withSession { session in
        let pipe = try LoopbackSocket()
        var launch = Launch(
          Programs.procctl, ["spawn", "--status-fd", "7", "--", "/bin/ls", "/proc/self/fd"])
        launch.passed = [(pipe.descriptor, 5)]
        launch.passed.append((open("/dev/null", O_WRONLY | O_CLOEXEC), 7))
        defer { close(launch.passed[1].own) }
        // 3 is the directory that ls reads.
        let result = try await session.start(launch).end()
        #expect(result.outputText == "0\n1\n2\n3\n")

        var bare = launch
        bare.program = "/bin/ls"
        bare.arguments = ["/proc/self/fd"]
        let inherited = try await session.start(bare).end().outputText
        #expect(inherited.contains("5\n"), "the control: without procctl it is inherited")
      }
    }

    @Test("the command has a session of its own and is not the subreaper's heir")
    func session() async throws {
      try await withSession { session in
        let result = try await session.procctl("spawn", "--", "/bin/sh", "-c", "cat /proc/$$/stat").end()
        let fields = (result.outputText.split(separator: ")").last ?? "").split(separator: " ")
        let pid = result.outputText.split(separator: " ").first
        #expect(fields[2] == pid && fields[3] == pid, "its group and its session are its own")
      }
    }
  }
}
