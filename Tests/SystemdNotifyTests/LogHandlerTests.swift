import CProcCtl
import FoundationEssentials
import Glibc
import Logging
import Synchronization
import SystemPackage
import SystemdNotify
import TemporaryFiles
import Testing

/// Collects what a handler writes.
struct LogPipe: ~Copyable {
  let output: LogOutput
  private let reading: FileDescriptor
  private let writing: FileDescriptor

  init() throws {
    (self.reading, self.writing) = try FileDescriptor.pipe()
    _ = cprocctl_fcntl(self.reading.rawValue, F_SETFL, O_NONBLOCK)
    _ = cprocctl_fcntl(self.writing.rawValue, F_SETFL, O_NONBLOCK)
    self.output = LogOutput(self.writing)
  }

  deinit {
    try? self.reading.close()
    try? self.writing.close()
  }

  func text() -> String {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while let count = try? buffer.withUnsafeMutableBytes({ try self.reading.read(into: $0) }), count > 0 {
      all += buffer[..<count]
    }
    return String(decoding: all, as: UTF8.self)
  }
}

private let noon = LogTime(seconds: 1_770_091_506, microseconds: 7)
private let noonText = "2026-02-03T04:05:06.000007Z"

private struct Failure: Error, CustomStringConvertible {
  var description: String { "it broke" }
}

@Suite("Lines for people")
struct TextLogHandlerTests {
  @Test("Time, level, label, message, metadata in order")
  func line() throws {
    let pipe = try LogPipe()
    var handler = TextLogHandler(label: "procctl", output: pipe.output, toJournal: false, now: { noon })
    handler[metadataKey: "worker"] = "alpha"
    handler.metadataProvider = Logger.MetadataProvider { ["pid": "1", "worker": "provided"] }
    let logger = Logger(label: "procctl") { _ in handler }
    logger.info("worker is ready", metadata: ["pid": "812", "empty": "", "list": ["a", "b"]])
    #expect(
      pipe.text()
        == "\(noonText) info procctl: worker is ready empty=\"\" list=\"[\\\"a\\\", \\\"b\\\"]\" pid=812 worker=provided\n"
    )
  }

  @Test("One event is one line that does nothing to a terminal")
  func hostileText() throws {
    let pipe = try LogPipe()
    let handler = TextLogHandler(label: "p", output: pipe.output, toJournal: false, now: { noon })
    let logger = Logger(label: "p") { _ in handler }
    logger.error("a\nb\r\t\u{1B}[2J\u{9B}x\u{2028}", metadata: ["k\n": "v\"=\\\n"])
    #expect(
      pipe.text()
        == "\(noonText) error p: a\\nb\\r\\t\\u{1b}[2J\\u{9b}x\\u{2028} k\\n=\"v\\\"=\\\\\\n\"\n")
  }

  @Test("For the journal: priority instead of the time")
  func journalStream() throws {
    let pipe = try LogPipe()
    var handler = TextLogHandler(label: "p", output: pipe.output, toJournal: true, now: { noon })
    handler.logLevel = .trace
    let logger = Logger(label: "p") { _ in handler }
    for level in Logger.Level.allCases { logger.log(level: level, "x") }
    #expect(
      pipe.text()
        == "<7>trace p: x\n<7>debug p: x\n<6>info p: x\n<5>notice p: x\n<4>warning p: x\n<3>error p: x\n"
        + "<2>critical p: x\n")
  }

  @Test("Below the level nothing is written; an event's error is metadata")
  func levelAndError() throws {
    let pipe = try LogPipe()
    let handler = TextLogHandler(
      label: "p", output: pipe.output, toJournal: false, level: .warning, now: { noon })
    let logger = Logger(label: "p") { _ in handler }
    logger.info("not this")
    #expect(pipe.text() == "")
    handler.log(
      event: LogEvent(
        level: .warning, message: "x", error: Failure(), metadata: nil, source: nil, file: "f", function: "g",
        line: 1))
    #expect(pipe.text() == "\(noonText) warning p: x error=\"it broke\"\n")
  }
}

@Suite("Lines for programs")
struct JSONLogHandlerTests {
  private struct Line: Decodable, Equatable {
    struct Metadata: Decodable, Equatable {
      var text: String?
      var list: [String]?
      var nested: [String: String]?
    }
    var time: String
    var level: String
    var label: String
    var message: String
    var metadata: Metadata?
  }

  @Test("Any text comes back as it was")
  func roundTrip() throws {
    let pipe = try LogPipe()
    let handler = JSONLogHandler(label: "procctl", output: pipe.output, now: { noon })
    let logger = Logger(label: "procctl") { _ in handler }
    let hostile =
      String(String.UnicodeScalarView((0..<0x100).compactMap(Unicode.Scalar.init))) + "€😀\u{2028}\\\""
    logger.notice(
      "\(hostile)",
      metadata: ["text": .string(hostile), "list": ["a", "\n"], "nested": ["b": "\"", "a": "\\"]])
    let text = pipe.text()
    #expect(text.hasSuffix("}\n") && text.filter { $0 == "\n" }.count == 1)
    #expect(!text.utf8.contains { $0 < 0x20 && $0 != 0x0A })
    let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
    #expect(
      line
        == Line(
          time: noonText, level: "notice", label: "procctl", message: hostile,
          metadata: .init(text: hostile, list: ["a", "\n"], nested: ["b": "\"", "a": "\\"])))
  }

  @Test("Fields in a fixed order; no metadata, no member")
  func shape() throws {
    let pipe = try LogPipe()
    let handler = JSONLogHandler(label: "p", output: pipe.output, now: { noon })
    let logger = Logger(label: "p") { _ in handler }
    logger.info("x")
    logger.info("x", metadata: ["b": [[:], []], "a": "1"])
    let start = "{\"time\":\"\(noonText)\",\"level\":\"info\",\"label\":\"p\",\"message\":\"x\""
    #expect(pipe.text() == start + "}\n" + start + ",\"metadata\":{\"a\":\"1\",\"b\":[{},[]]}}\n")
  }
}

@Suite("Entries for the journal")
struct JournalLogHandlerTests {
  @Test("Every field, with metadata in capitals")
  func fields() throws {
    let pipe = try LogPipe()
    let fallback = TextLogHandler(label: "p", output: pipe.output, toJournal: false, now: { noon })
    let collected = Collected()
    var handler = JournalLogHandler(
      label: "procctl.loop", identifier: "procctl", fallback: fallback, send: { collected.add($0) })
    handler[metadataKey: "worker"] = "alpha"
    handler.log(
      event: LogEvent(
        level: .warning, message: "two\nlines", error: Failure(),
        metadata: ["pid": "812", "message": "forged"],
        source: nil, file: "Module/File.swift", function: "run()", line: 42))
    let entry = try #require(collected.all.first)
    #expect(
      entry.fields.map { String(decoding: $0, as: UTF8.self) } == [
        "MESSAGE=two\nlines", "PRIORITY=4", "SYSLOG_IDENTIFIER=procctl", "LOGGER=procctl.loop",
        "CODE_FILE=Module/File.swift", "CODE_LINE=42", "CODE_FUNC=run()", "ERROR=it broke",
        "X_MESSAGE=forged", "PID=812", "WORKER=alpha",
      ])
    #expect(pipe.text() == "")
  }

  private final class Collected: Sendable {
    private let entries = Mutex<[JournalEntry]>([])
    func add(_ entry: JournalEntry) -> Bool {
      self.entries.withLock { $0.append(entry) }
      return true
    }
    var all: [JournalEntry] { self.entries.withLock { $0 } }
  }

  @Test(
    "Names the journal accepts, and none it trusts",
    arguments: [
      ("worker", "WORKER"), ("exit-status", "EXIT_STATUS"), ("_PID", "X__PID"), ("9lives", "X_9LIVES"),
      ("", "X_"), ("ä", "X___"), ("message", "X_MESSAGE"), ("Priority", "X_PRIORITY"),
      (String(repeating: "a", count: 90), String(repeating: "A", count: 64)),
    ])
  func names(key: String, expected: String) {
    #expect(JournalEntry.fieldName(key) == expected)
  }

  @Test("What journald does not take goes to the fallback, with its metadata")
  func fallback() throws {
    let pipe = try LogPipe()
    let fallback = TextLogHandler(label: "p", output: pipe.output, toJournal: false, now: { noon })
    var handler = JournalLogHandler(label: "p", identifier: "p", fallback: fallback, send: { _ in false })
    handler[metadataKey: "worker"] = "alpha"
    let logger = Logger(label: "p") { _ in handler }
    logger.info("lost?")
    #expect(pipe.text() == "\(noonText) info p: lost? worker=alpha\n")
  }
}

@Suite("Where lines go")
struct LogOutputTests {
  @Test("Lines of many threads never mix")
  func concurrency() throws {
    let (writing, reading) = try makePair()
    let output = LogOutput(writing)
    let writers = (0..<4).map { number in
      TestThread {
        let line = [UInt8](repeating: UInt8(ascii: "a") + UInt8(number), count: 700 + number)
        for _ in 0..<100 { output.write(line: line) }
      }
    }
    let text = Mutex<[UInt8]>([])
    let reader = TestThread {
      var buffer = [UInt8](repeating: 0, count: 65536)
      while wait(for: POLLIN, on: reading, within: 60_000),
        let count = try? buffer.withUnsafeMutableBytes({ try reading.read(into: $0) }), count > 0
      {
        text.withLock { $0 += buffer[..<count] }
      }
    }
    for writer in writers { writer.join() }
    try writing.close()
    reader.join()
    try reading.close()
    let lines = text.withLock { $0 }.split(separator: UInt8(ascii: "\n"))
    #expect(lines.allSatisfy { line in line.allSatisfy { $0 == line.first } })
    // Where the reader was kept from reading for long, some were dropped, or cut short.
    let whole = lines.count { line in line.count == 700 + Int(line.first ?? 0) - Int(UInt8(ascii: "a")) }
    #expect(whole > 0 && whole + Int(output.droppedLines) == 400)
  }

  @Test("A full pipe costs the line, not the writer; the next line starts afresh")
  func fullPipe() throws {
    let pipe = try LogPipe()
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 50_000)
    pipe.output.write(line: long)
    pipe.output.write(line: long)
    pipe.output.write(line: Array("lost".utf8))
    #expect(pipe.output.droppedLines == 2)
    let first = pipe.text().split(separator: "\n")
    // The second was cut where the pipe was full.
    #expect(first.first?.utf8.count == 50_000 && (first.last?.utf8.count ?? 0) < 50_000)
    pipe.output.write(line: Array("again".utf8))
    #expect(pipe.text() == "\nagain\n")
    #expect(pipe.output.droppedLines == 2)
  }

  @Test(
    "A line longer than the room there is does not wait for it, and the file stays as it is for others",
    .timeLimit(.minutes(1)), arguments: [true, false])
  func littleRoom(isPipe: Bool) throws {
    let (reading, writing) = isPipe ? try FileDescriptor.pipe() : try makePair()
    defer {
      try? reading.close()
      try? writing.close()
    }
    let output = LogOutput(writing)
    // Nobody reads; a blocking write of this would not come back. The first takes what there is.
    for _ in 0..<3 { output.write(line: [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)) }
    #expect(output.droppedLines == 3)
    #expect(cprocctl_fcntl(writing.rawValue, F_GETFL, 0) & O_NONBLOCK == 0)
    // The control: there was room, and it has been used.
    var buffer = [UInt8](repeating: 0, count: 4096)
    #expect(try buffer.withUnsafeMutableBytes { try reading.read(into: $0) } == 4096)
    #expect(buffer.allSatisfy { $0 == UInt8(ascii: "x") })
  }

  @Test("Lines too long for a pipe arrive whole where somebody reads")
  func longLine() throws {
    let (reading, writing) = try FileDescriptor.pipe()
    let output = LogOutput(writing)
    let writer = TestThread { output.write(line: [UInt8](repeating: UInt8(ascii: "y"), count: 100_000)) }
    var count = 0
    var buffer = [UInt8](repeating: 0, count: 65536)
    while count < 100_001, wait(for: POLLIN, on: reading) {
      count += try buffer.withUnsafeMutableBytes { try reading.read(into: $0) }
    }
    writer.join()
    #expect(count == 100_001 && output.droppedLines == 0)
    try reading.close()
    try writing.close()
  }

  @Test("The wait for room is over after so many parts, and a machine that stood still has cost one of them")
  func patience() {
    var patience = WritePatience.line
    for _ in 0..<4 {
      #expect(patience.nextWait == .milliseconds(50) && !patience.isOver)
      patience.waited(.milliseconds(50))
    }
    #expect(patience.isOver && patience.nextWait == .zero)
    patience = .line
    patience.waited(.seconds(3600))
    #expect(patience.nextWait == .milliseconds(50))
    for _ in 0..<14 { patience.waited(.milliseconds(10)) }
    #expect(patience.nextWait == .milliseconds(10) && !patience.isOver)
    patience.waited(.seconds(1))
    #expect(patience.isOver)
    #expect(WritePatience.none.isOver && WritePatience.none.nextWait == .zero)
  }

  @Test("A journald that stands still costs entries, and does not stop who logs", .timeLimit(.minutes(1)))
  func standstill() throws {
    try withTemporaryDirectory { directory in
      let socket = try NotifySocket(path: directory.appending("journal"))
      let transport = try DatagramTransport(to: NotifyAddress(path: directory.appending("journal")))
      _ = socket
      let pipe = try LogPipe()
      let handler = JournalLogHandler(
        label: "x", identifier: "x",
        fallback: TextLogHandler(label: "x", output: pipe.output, toJournal: false, now: { noon }),
        send: { JournalLogHandler.send($0, over: transport) })
      let logger = Logger(label: "x") { _ in handler }
      // More than the queue of a datagram socket holds (unix(7), max_dgram_qlen), and nobody reads it.
      for number in 0..<1000 { logger.info("\(number)") }
      let lines = pipe.text().split(separator: "\n")
      #expect(lines.last?.hasSuffix("999") == true)
      // The control: it took the first.
      #expect(lines.count < 1000)
    }
  }

  @Test("An entry is told as journald reads it")
  func datagram() throws {
    let pipe = try LogPipe()
    let sent = Mutex<[JournalEntry]>([])
    let handler = JournalLogHandler(
      label: "x", identifier: "y",
      fallback: TextLogHandler(label: "x", output: pipe.output, toJournal: false),
      send: { entry in
        sent.withLock { $0.append(entry) }
        return true
      })
    Logger(label: "x") { _ in handler }.info("one\ntwo", metadata: ["worker": "a=b"])
    let bytes = try #require(sent.withLock { $0.first }).datagram
    #expect(
      bytes.starts(
        with: Array("MESSAGE\n".utf8) + [7, 0, 0, 0, 0, 0, 0, 0] + Array("one\ntwo\nPRIORITY=6\n".utf8)))
    #expect(String(decoding: bytes, as: UTF8.self).hasSuffix("WORKER=a=b\n"))
  }

  @Test("The descriptor can be replaced")
  func replacement() throws {
    let old = try LogPipe()
    let (reading, writing) = try FileDescriptor.pipe()
    defer {
      try? reading.close()
      try? writing.close()
    }
    old.output.write(line: Array("before".utf8))
    old.output.replaceDescriptor(writing)
    old.output.write(line: Array("after".utf8))
    #expect(old.text() == "before\n")
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = try buffer.withUnsafeMutableBytes { try reading.read(into: $0) }
    #expect(String(decoding: buffer[..<count], as: UTF8.self) == "after\n")
  }

  @Test("A journal stream is known by device and inode")
  func journalStream() throws {
    let (reading, writing) = try FileDescriptor.pipe()
    defer {
      try? reading.close()
      try? writing.close()
    }
    var status = stat()
    try #require(fstat(writing.rawValue, &status) == 0)
    #expect(JournalStream.matches(writing, value: "\(status.st_dev):\(status.st_ino)"))
    for other in ["", ":", "\(status.st_dev)", "\(status.st_dev):\(status.st_ino + 1)", "x:y"] {
      #expect(!JournalStream.matches(writing, value: other))
    }
  }
}
