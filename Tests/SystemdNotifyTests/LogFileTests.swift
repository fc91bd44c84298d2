import CProcCtl
import Glibc
import Logging
import Synchronization
import SystemPackage
import SystemdNotify
import TemporaryFiles
import Testing

/// What a log has complained of.
final class Complaints: Sendable {
  private let texts = Mutex<[String]>([])
  var all: [String] { self.texts.withLock { $0 } }
  func add(_ text: String) { self.texts.withLock { $0.append(text) } }
}

@Suite("A log in a file of its own", .serialized)
struct LogFileTests {
  private func file(
    _ directory: borrowing TemporaryDirectory, size: Int = 0, keep: Int = 2, isMuted: Bool = false,
    complaints: Complaints = Complaints()
  ) -> LogFile {
    LogFile(
      directory.path.appending("a.log"), limits: .init(size: size, keep: keep), writer: .onTheSpot,
      isMuted: isMuted, complain: { complaints.add($0) })
  }

  @Test("is appended to, and belongs to its owner and group only")
  func appends() throws {
    let directory = try TemporaryDirectory()
    umask(0o022)
    for _ in 0..<2 {
      let file = self.file(directory)
      file.write(line: Array("lost: not open yet".utf8))
      try file.open()
      file.write(line: Array("one".utf8))
    }
    #expect(try directory.text("a.log") == "one\none\n")
    var status = stat()
    #expect(stat(directory.path.appending("a.log").string, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o640)
  }

  @Test("begins anew at its limit and keeps as many as it shall", arguments: [0, 1, 2])
  func rotates(keep: Int) throws {
    let directory = try TemporaryDirectory()
    let complaints = Complaints()
    let file = self.file(directory, size: 10, keep: keep, complaints: complaints)
    try file.open()
    for number in 1...9 { file.write(line: Array("line\(number)".utf8)) }
    let kept = [("a.log", "line9\n"), ("a.log.1", "line8\n"), ("a.log.2", "line7\n")].prefix(keep + 1)
    #expect(directory.names == kept.map(\.0))
    for (name, text) in kept { #expect(try directory.text(name) == text) }
    #expect(complaints.all.isEmpty && file.lostLines == 0)
  }

  @Test("a line longer than the limit is written all the same")
  func longLine() throws {
    let directory = try TemporaryDirectory()
    let file = self.file(directory, size: 4)
    try file.open()
    file.write(line: Array("longer than four".utf8))
    #expect(try directory.text("a.log") == "longer than four\n")
    #expect(directory.names == ["a.log"])
  }

  @Test("knows how long the file is that it finds")
  func foundSize() throws {
    let directory = try TemporaryDirectory()
    let first = self.file(directory, size: 10)
    try first.open()
    first.write(line: Array("12345678".utf8))
    let second = self.file(directory, size: 10)
    try second.open()
    second.write(line: Array("next".utf8))
    #expect(try directory.text("a.log") == "next\n")
    #expect(try directory.text("a.log.1") == "12345678\n")
  }

  @Test("opened again, it writes to whoever has its name by now")
  func reopens() throws {
    let directory = try TemporaryDirectory()
    let file = self.file(directory)
    try file.open()
    file.write(line: Array("before".utf8))
    let (name, moved) = (directory.path.appending("a.log"), directory.path.appending("moved"))
    #expect(rename(name.string, moved.string) == 0)
    file.write(line: Array("still before".utf8))
    try file.open()
    file.write(line: Array("after".utf8))
    #expect(try directory.text("moved") == "before\nstill before\n")
    #expect(try directory.text("a.log") == "after\n")
  }

  @Test("muted, it passes lines over until it is unmuted")
  func muted() throws {
    let directory = try TemporaryDirectory()
    let file = self.file(directory, isMuted: true)
    try file.open()
    file.write(line: Array("not this".utf8))
    file.unmute()
    file.write(line: Array("this".utf8))
    #expect(try directory.text("a.log") == "this\n")
    #expect(file.lostLines == 0)
  }

  @Test("no link is followed, and nothing but a file is written to")
  func refuses() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("a.log").string
    #expect(symlink("/tmp/procctl-nowhere", path) == 0)
    #expect(throws: Errno.tooManySymbolicLinkLevels) { try self.file(directory).open() }
    unlink(path)
    #expect(mkfifo(path, 0o600) == 0)
    #expect(throws: Errno.self) { try self.file(directory).open() }
    unlink(path)
    try self.file(directory).open()
  }

  @Test("where it cannot be set aside it is emptied, and stays within its limit")
  func cannotRotate() throws {
    let directory = try TemporaryDirectory()
    let complaints = Complaints()
    let file = self.file(directory, size: 10, keep: 1, complaints: complaints)
    try file.open()
    file.write(line: Array("12345678".utf8))
    // A directory that is not empty is in the place of the older file.
    let older = directory.path.appending("a.log.1").string
    #expect(mkdir(older, 0o700) == 0 && mkdir(older + "/b", 0o700) == 0)
    defer {
      rmdir(older + "/b")
      rmdir(older)
    }
    file.write(line: Array("new".utf8))
    #expect(try directory.text("a.log") == "new\n")
    #expect(complaints.all.count == 1)
  }

  @Test("behind a handler, every line of it is JSON")
  func handler() throws {
    let directory = try TemporaryDirectory()
    let file = self.file(directory)
    try file.open()
    let handler = JSONLogHandler(label: "p", output: file, now: { LogTime(seconds: 0, microseconds: 1) })
    let logger = Logger(label: "p") { _ in handler }
    logger.info("x", metadata: ["worker": "a"])
    #expect(
      try directory.text("a.log")
        == #"{"time":"1970-01-01T00:00:00.000001Z","level":"info","label":"p","message":"x","metadata":{"worker":"a"}}"#
        + "\n")
  }
}
