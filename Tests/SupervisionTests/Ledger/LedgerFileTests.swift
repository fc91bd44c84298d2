import Glibc
import ProcCtl
import Supervision
import SystemPackage
import TemporaryFiles
import Testing

@Suite struct LedgerFileTests {
  private let name = LedgerName(of: "/etc/procctl/test.toml")

  private func withDirectory(_ body: (LedgerDirectory) throws -> Void) throws {
    try withTemporaryDirectory { try body(LedgerDirectory(path: $0)) }
  }

  private var ledger: Ledger {
    get throws(ProcessError) {
      Ledger(
        header: Ledger.Header(
          master: try RecordedProcess.current(kernel: LinuxKernel()), namespace: 1, configuration: "/c"),
        entries: [Ledger.Entry(worker: "alpha", cookie: "alpha:1")])
    }
  }

  private func entry(_ pid: Int32) -> Ledger.Entry {
    Ledger.Entry(
      worker: "alpha", cookie: "alpha:1",
      leader: ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: 5))
  }

  private func file(_ directory: LedgerDirectory, complain: @escaping (String) -> Void = { _ in }) throws
    -> LedgerFile
  {
    try LedgerFile(in: directory.path, name: self.name, ledger: try self.ledger, complain: complain)
  }

  @Test func theLivingKeepTheirsAndTheNextOneTakesANumber() throws {
    try self.withDirectory { directory in
      let first = try self.file(directory)
      let second = try self.file(directory)
      #expect(first.path != second.path)
      #expect(try directory.abandoned(by: self.name).ledgers.isEmpty)
      #expect(try directory.ledgers().count == 2)
      // Letting go is what the kernel does for the dead.
      first.started(self.entry(77))
      first.close()
      let found = try directory.abandoned(by: self.name).ledgers
      #expect(found.map(\.file.path) == [first.path])
      #expect(found.first?.reading.ledger?["alpha"]?.leader?.processIdentifier.value == 77)
      let third = try self.file(directory)
      #expect(third.path != first.path, "what is abandoned is not written over")
      for ledger in found { try ledger.file.remove() }
      try second.remove()
      try third.remove()
      #expect(TemporaryDirectory.names(in: directory.path).isEmpty)
    }
  }

  /// As a child of ours has it between its fork and its exec.
  @Test func whoHasInheritedTheLockDoesNotKeepIt() throws {
    try self.withDirectory { directory in
      let path = directory.path.appending("locked")
      let first = try LockedFile.open(path, creating: true)
      let inherited = try first.descriptor.duplicate()
      defer { try? inherited.close() }
      #expect(throws: LockedFile.Obstacle.self) { _ = try LockedFile.open(path, creating: false) }
      first.close()
      try LockedFile.open(path, creating: false).remove()
    }
  }

  @Test func aLedgerOfAnotherConfigurationIsNotTouched() throws {
    try self.withDirectory { directory in
      let file = try self.file(directory)
      file.close()
      #expect(try directory.abandoned(by: LedgerName(of: nil)).ledgers.isEmpty)
      #expect(TemporaryDirectory.names(in: directory.path).count == 1)
    }
  }

  @Test func manyStartsDoNotMakeItGrow() throws {
    try self.withDirectory { directory in
      let file = try self.file(directory)
      var largest: off_t = 0
      var shrank = 0
      for number in 2..<6000 {
        file.started(self.entry(Int32(number)))
        file.ended(worker: "alpha")
        var status = stat()
        try #require(stat(file.path.string, &status) == 0)
        if status.st_size < largest { shrank += 1 }
        largest = max(largest, status.st_size)
      }
      #expect(shrank > 0 && largest < 200_000, "\(largest)")
      file.started(self.entry(9))
      #expect(try LedgerDirectory.read(file.path)?["alpha"] == self.entry(9))
      // It is still ours.
      #expect(try directory.abandoned(by: self.name).ledgers.isEmpty)
      #expect(TemporaryDirectory.names(in: directory.path).count == 1, "no draft is left")
      try file.remove()
    }
  }

  @Test func whatIsNoLedgerIsReportedAndNotInTheWay() throws {
    try self.withDirectory { directory in
      try #require(mkdir(directory.path.appending(self.name.file(number: 1)).string, 0o700) == 0)
      try #require(mkfifo(directory.path.appending(self.name.file(number: 2)).string, 0o600) == 0)
      try #require(symlink("/etc/passwd", directory.path.appending(self.name.file(number: 3)).string) == 0)
      let half = directory.path.appending(self.name.draft(of: 99)).string
      close(open(half, O_WRONLY | O_CREAT, 0o600))
      let (ledgers, problems) = try directory.abandoned(by: self.name)
      #expect(ledgers.isEmpty && problems.count == 3, "\(problems)")
      #expect(access(half, F_OK) != 0)
      let file = try self.file(directory)
      #expect(file.path.lastComponent?.string == self.name.file(number: 4))
      try file.remove()
    }
  }

  @Test func aDirectoryThatIsGoneIsComplainedOfOnce() throws {
    try self.withDirectory { directory in
      var complaints: [String] = []
      let file = try self.file(directory) { complaints.append($0) }
      // The open file goes on by itself; only a fresh one would need the directory.
      unlink(file.path.string)
      rmdir(directory.path.string)
      for number in 2..<3000 { file.started(self.entry(Int32(number))) }
      #expect(complaints.isEmpty)
      file.close()
      #expect(throws: ProcessError.self) { _ = try self.file(directory) }
    }
  }
}
