internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// A ledger as text, a line for each thing that happened:
///
///     procctl-ledger version=1 boot=… namespace=… pid=… time=… [cgroup=…] configuration=… sum=…
///     start worker=… cookie=… [port=…] [pid=… time=…] [guard=yes] [cgroup=…] sum=…
///     end worker=… sum=…
///
/// The first line is the header. A start without pid makes a worker known. Fields
/// may come in any order, `sum` last; those that are not known are skipped, for
/// they are a later version's. Every line carries the checksum of what stands
/// before it: what is damaged is not believed.
package enum LedgerText {
  /// What is read at most, and how long one line may be.
  package static let largestSize = 16 << 20
  package static let longestLine = 16 << 10

  // MARK: Writing

  package static func header(_ header: Ledger.Header) -> String {
    var fields = [
      ("version", "1"), ("boot", header.master.boot), ("namespace", "\(header.namespace)"),
      ("pid", "\(header.master.identity.processIdentifier)"),
      ("time", "\(header.master.identity.startTime)"),
    ]
    if let cgroup = header.cgroup { fields.append(("cgroup", cgroup.string)) }
    fields.append(("configuration", header.configuration))
    return self.line("procctl-ledger", fields)
  }

  package static func started(_ entry: Ledger.Entry) -> String {
    var line = Array("start".utf8)
    self.append("worker", entry.worker.utf8, to: &line)
    self.append("cookie", entry.cookie.bytes, to: &line)
    if let port = entry.port { self.append("port", "\(port)".utf8, to: &line) }
    if let leader = entry.leader {
      self.append("pid", "\(leader.processIdentifier.value)".utf8, to: &line)
      self.append("time", "\(leader.startTime)".utf8, to: &line)
    }
    if entry.leaderIsGuard { self.append("guard", "yes".utf8, to: &line) }
    if let cgroup = entry.cgroup { self.append("cgroup", cgroup.string.utf8, to: &line) }
    return self.summed(line)
  }

  package static func ended(worker: String) -> String {
    self.line("end", [("worker", worker)])
  }

  /// The shortest text that says the same.
  package static func whole(_ ledger: Ledger) -> String {
    self.header(ledger.header) + ledger.entries.map { self.started($0) }.joined()
  }

  private static func line(_ word: String, _ fields: [(String, String)]) -> String {
    var line = Array(word.utf8)
    for (name, value) in fields { self.append(name, value.utf8, to: &line) }
    return self.summed(line)
  }

  private static func summed(_ line: [UInt8]) -> String {
    "\(String(decoding: line, as: UTF8.self)) sum=\(Checksum.text(line))\n"
  }

  private static func append(_ name: String, _ value: some Sequence<UInt8>, to line: inout [UInt8]) {
    line.append(UInt8(ascii: " "))
    line += name.utf8
    line.append(UInt8(ascii: "="))
    for byte in value {
      if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "%") {
        line.append(byte)
      } else {
        line += "%\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
      }
    }
  }

  // MARK: Reading

  /// What was read, and what of it was not believed.
  package struct Reading: Sendable, Equatable {
    /// Nil if the first line is no header: nothing of it can be believed then.
    package var ledger: Ledger?
    /// A line each, with its number.
    package var problems: [String] = []

    package init(ledger: Ledger? = nil) {
      self.ledger = ledger
    }
  }

  /// Reads any bytes. A last line without its end is one that was being written when time was over.
  package static func parse(_ bytes: [UInt8]) -> Reading {
    var reading = Reading()
    var number = 0
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      number += 1
      let line = rest[..<end]
      rest = rest[rest.index(after: end)...]
      guard let fields = Fields(line) else {
        reading.problems.append("line \(number) is damaged")
        if number == 1 { return reading }
        continue
      }
      if number == 1 {
        guard let header = fields.header() else {
          reading.problems.append("line 1 is no header of a ledger")
          return reading
        }
        reading.ledger = Ledger(header: header)
        continue
      }
      switch fields.word {
      case "start":
        guard let entry = fields.entry() else {
          reading.problems.append("line \(number) makes no sense")
          continue
        }
        reading.ledger?.started(entry)
      case "end":
        guard let worker = fields.text("worker") else {
          reading.problems.append("line \(number) makes no sense")
          continue
        }
        reading.ledger?.ended(worker: worker)
      default:
        reading.problems.append("line \(number) is of a kind that is not known")
      }
    }
    if reading.ledger == nil, reading.problems.isEmpty { reading.problems.append("it has no header") }
    return reading
  }
}

/// One whole line.
private struct Fields {
  var word: String
  private var values: [String: [UInt8]] = [:]

  /// Nil for a line that does not carry its own checksum.
  init?(_ line: ArraySlice<UInt8>) {
    guard line.count <= LedgerText.longestLine else { return nil }
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.count >= 2, let last = words.last, last.starts(with: "sum=".utf8) else { return nil }
    let covered = line[..<line.index(before: last.startIndex)]
    guard last.dropFirst(4).elementsEqual(Checksum.text(covered).utf8) else { return nil }
    self.word = String(decoding: words[0], as: UTF8.self)
    for field in words.dropFirst().dropLast() {
      guard let sign = field.firstIndex(of: UInt8(ascii: "=")), sign != field.startIndex,
        let value = Self.unescape(field[field.index(after: sign)...])
      else { return nil }
      // Twice the same name: which one would be true?
      guard self.values.updateValue(value, forKey: String(decoding: field[..<sign], as: UTF8.self)) == nil
      else { return nil }
    }
  }

  private static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = text
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return bytes
  }

  /// Not empty, UTF-8, and without a zero byte.
  func text(_ name: String) -> String? {
    guard let value = self.values[name], !value.isEmpty, !value.contains(0) else { return nil }
    return String(validating: value, as: UTF8.self)
  }

  private func number<Number: FixedWidthInteger>(_ name: String, _ type: Number.Type) -> Number? {
    self.text(name).flatMap { Number($0) }
  }

  /// No longer than what the kernel takes for a path (path_resolution(7)).
  private func path(_ name: String) -> FilePath? {
    guard let text = self.text(name), text.utf8.count < PATH_MAX else { return nil }
    return FilePath(text)
  }

  private func has(_ name: String) -> Bool { self.values[name] != nil }

  private func identity() -> ProcessIdentity? {
    guard let pid = self.number("pid", Int32.self), let time = self.number("time", UInt64.self) else {
      return nil
    }
    return ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: time)
  }

  func header() -> Ledger.Header? {
    guard self.word == "procctl-ledger", self.text("version") == "1", let boot = self.text("boot"),
      let namespace = self.number("namespace", UInt64.self), let master = self.identity(),
      master.processIdentifier.value > 0, let configuration = self.text("configuration")
    else { return nil }
    return Ledger.Header(
      master: RecordedProcess(identity: master, boot: boot), namespace: namespace,
      cgroup: self.path("cgroup"), configuration: configuration)
  }

  func entry() -> Ledger.Entry? {
    guard let worker = self.text("worker"), let cookie = self.values["cookie"], !cookie.isEmpty,
      !cookie.contains(0)
    else { return nil }
    var entry = Ledger.Entry(worker: worker, cookie: ByteString(bytes: cookie))
    if self.has("port") {
      guard let port = self.number("port", UInt16.self), port > 0 else { return nil }
      entry.port = port
    }
    if self.has("pid") || self.has("time") {
      guard let leader = self.identity(), leader.processIdentifier.value > 1 else { return nil }
      entry.leader = leader
    }
    entry.leaderIsGuard = entry.leader != nil && self.text("guard") == "yes"
    if self.has("cgroup") {
      guard let cgroup = self.path("cgroup") else { return nil }
      entry.cgroup = cgroup
    }
    return entry
  }
}
