import ProcCtl
import SeededRandom
import SystemPackage
import Testing

/// What the kernel and other processes write, read under damage. How to run more cases, or the one
/// that failed: `FuzzRun`.
@Suite("Fuzzing what /proc shows")
struct ProcFuzzTests {
  private static let damage = Damage(tokens: [
    " ", "\n", ")", "(", "-", "/", "..", "\\040", "\\134", "0::", "cgroup2", " - ", ":", "0100007F:1F90",
    "\0",
    "PROCCTL_COOKIE=", "=", "populated 1", "Z",
  ])

  private static func line(of status: ProcessStatus) -> [UInt8] {
    let identity = status.identity
    var fields = [UInt8](repeating: UInt8(ascii: "0"), count: 40).map { "\(UnicodeScalar($0))" }
    // Fields 4 and on, as proc(5) numbers them.
    fields[0] = "\(status.parent)"
    fields[1] = "\(status.processGroup)"
    fields[2] = "\(status.session)"
    fields[16] = "\(status.threadCount)"
    fields[18] = "\(identity.startTime)"
    return Array("\(identity.processIdentifier) (".utf8) + status.name.bytes + Array(") ".utf8)
      + [status.state.letter] + Array((" " + fields.joined(separator: " ") + "\n").utf8)
  }

  private static func status(_ random: inout SeededRandom) -> ProcessStatus {
    func number() -> Int32 {
      random.chance(20)
        ? random.pick([0, 1, -1, .max, .min]) ?? 0 : Int32.random(in: .min ... .max, using: &random)
    }
    // Any byte but the one that ends strings, and often one that looks like what comes after.
    var name = random.bytes(0...20, from: 1...255)
    if random.chance(50) {
      name += Array((random.pick([")", ") Z 1 1", "(", " ", "\n", "1 (x) R "]) ?? "").utf8)
    }
    return ProcessStatus(
      identity: ProcessIdentity(
        processIdentifier: ProcessIdentifier(number()),
        startTime: UInt64.random(in: 0 ... .max, using: &random)),
      name: ByteString(bytes: name), state: .init(letter: UInt8.random(in: 0x21...0x7E, using: &random)),
      parent: ProcessIdentifier(number()), processGroup: ProcessIdentifier(number()),
      session: ProcessIdentifier(number()), threadCount: number())
  }

  @Test("A stat line says what was printed, whatever the name holds")
  func statLine() {
    let failures = FuzzRun.failures("stat-line", cases: 4000) { random in
      let status = Self.status(&random)
      // A parenthesis as the state would be the last one.
      if [UInt8(ascii: ")")].contains(status.state.letter) { return nil }
      let read = ProcessStatus(parsing: Self.line(of: status))
      return read == status ? nil : "\(status) reads as \(String(describing: read))"
    }
    #expect(failures == [])
  }

  @Test("A damaged stat line is none, or one that can be printed")
  func damagedStatLine() {
    var read = 0
    let failures = FuzzRun.failures("stat-damage", cases: 4000) { random in
      let line = Self.damage.apply(to: Self.line(of: Self.status(&random)), using: &random)
      guard let status = ProcessStatus(parsing: line) else { return nil }
      read += 1
      if status.state.letter == UInt8(ascii: ")") { return nil }
      return ProcessStatus(parsing: Self.line(of: status)) == status ? nil : "\(line)"
    }
    #expect(failures == [])
    #expect(read > 100 || FuzzRun.isReplaying)
  }

  /// What the reader promises, said in another way.
  private static func expected<Number: FixedWidthInteger>(_ bytes: [UInt8], as: Number.Type) -> Number? {
    let end = bytes.lastIndex { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") } ?? -1
    let text = String(decoding: bytes[...end], as: UTF8.self)
    let digits = Number.isSigned && text.hasPrefix("-") ? text.dropFirst() : text[...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Number(text)
  }

  @Test("A decimal number is read if and only if it fits")
  func decimal() {
    let failures = FuzzRun.failures("decimal", cases: 6000) { random in
      var bytes = Array(
        "\(Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0...62, using: &random))".utf8)
      if random.chance(70) { bytes = Self.damage.apply(to: bytes, using: &random) }
      func differs<Number: FixedWidthInteger>(_ type: Number.Type) -> Bool {
        Number(decimal: bytes) != Self.expected(bytes, as: type)
      }
      return differs(Int8.self) || differs(Int32.self) || differs(Int64.self) || differs(UInt8.self)
        || differs(UInt64.self) ? "\(String(decoding: bytes, as: UTF8.self).debugDescription)" : nil
    }
    #expect(failures == [])
  }

  @Test("Our cgroup is found by the bytes of its name")
  func cgroup() {
    func escape(_ bytes: [UInt8]) -> [UInt8] {
      bytes.flatMap { byte in
        [0x20, 0x09, 0x0A, 0x5C].contains(byte)
          ? Array("\\\(byte >> 6)\(byte >> 3 & 7)\(byte & 7)".utf8) : [byte]
      }
    }
    func path(_ random: inout SeededRandom, _ names: ClosedRange<Int>, newlines: Bool) -> [UInt8] {
      (0..<Int.random(in: names, using: &random)).flatMap { _ -> [UInt8] in
        let name =
          random.chance(30)
          ? Array((random.pick(["a b", "\r", "\u{301}x", "\\040", "...", "é", " - cgroup2"]) ?? "").utf8)
          : random.bytes(1...6, from: 1...255).map { $0 == 0x2F || (!newlines && $0 == 0x0A) ? 0x78 : $0 }
        return [UInt8(ascii: "/")] + ([[0x2E], [0x2E, 0x2E]].contains(name) ? [0x78] : name)
      }
    }
    let failures = FuzzRun.failures("cgroup", cases: 3000) { random in
      let mountPoint = path(&random, 1...4, newlines: true)
      let root = path(&random, 0...2, newlines: false)
      let rest = path(&random, 0...3, newlines: false)
      let other =
        "24 29 0:22 / /proc rw - proc proc rw\n40 30 0:30 / /v1 rw shared:3 - cgroup cgroup rw,pids\n"
      let mountinfo =
        Array("\(other)41 30 0:31 ".utf8) + (root.isEmpty ? [0x2F] : escape(root)) + [0x20]
        + escape(mountPoint)
        + Array(" rw - cgroup2 cgroup2 rw\n".utf8)
      let own = root + rest
      let membership = Array("8:pids:/\n0::".utf8) + (own.isEmpty ? [0x2F] : own) + [0x0A]
      let found = CgroupHierarchy(mountinfo: mountinfo, membership: membership)?.own
      let expected = (mountPoint + rest + [0]).withUnsafeBufferPointer { bytes in
        bytes.withMemoryRebound(to: CChar.self) { $0.baseAddress.map { FilePath(platformString: $0) } }
      }
      if found != expected { return "\(String(describing: found)), not \(String(describing: expected))" }

      // Damaged: none, or below a place that is mounted.
      let damaged = CgroupHierarchy(
        mountinfo: Self.damage.apply(to: mountinfo, using: &random),
        membership: Self.damage.apply(to: membership, using: &random))
      guard let place = damaged?.own else { return nil }
      let climbs = place.components.contains { $0.kind == .parentDirectory } && !mountPoint.contains(0x2E)
      return place.isAbsolute && !climbs ? nil : "\(place)"
    }
    #expect(failures == [])
  }

  @Test("A list of processes names nobody who is not in it, and never everybody")
  func processes() {
    let failures = FuzzRun.failures("cgroup-procs", cases: 2000) { random in
      let numbers = (0..<Int.random(in: 0...20, using: &random)).map { _ in
        Int32.random(in: 1 ... .max, using: &random)
      }
      let text = Array(numbers.map { "\($0)\n" }.joined().utf8)
      guard Cgroup.members(listedIn: text).map(\.value) == numbers else { return "\(numbers)" }
      let damaged = Self.damage.apply(to: text, using: &random)
      let lines = Set(damaged.split(separator: 0x0A).map { Self.expected(Array($0), as: Int32.self) })
      let members = Cgroup.members(listedIn: damaged).map(\.value)
      return members.allSatisfy { $0 > 0 && lines.contains($0) } ? nil : "\(members) from \(damaged)"
    }
    #expect(failures == [])
  }

  @Test("The cookie is found among any variables")
  func cookie() {
    let failures = FuzzRun.failures("cookie", cases: 3000) { random in
      func others() -> [UInt8] {
        (0..<Int.random(in: 0...5, using: &random)).flatMap { _ in
          random.bytes(0...20, from: 1...255) + [0]
        }
      }
      let value = random.bytes(0...40, from: 1...255)
      let environment = others() + Array("PROCCTL_COOKIE=".utf8) + value + [0] + others()
      guard attributionCookie(inEnvironment: environment)?.bytes == value else { return "\(environment)" }
      // Overwritten by its process with anything: what is found is in it.
      let damaged = Self.damage.apply(to: environment, using: &random)
      guard let found = attributionCookie(inEnvironment: damaged) else { return nil }
      return found.bytes.count < damaged.count && !found.bytes.contains(0) ? nil : "\(damaged)"
    }
    #expect(failures == [])
  }

  @Test("Foreign bytes are printed on one line, within the limit")
  func printable() {
    let failures = FuzzRun.failures("printable", cases: 2000) { random in
      let bytes = Self.damage.apply(to: random.bytes(0...60), using: &random)
      let limit = Int.random(in: 0...80, using: &random)
      let texts = [
        PrintableText.escaping(bytes, limit: limit), PrintableText.commandLine(bytes, limit: limit) ?? "",
      ]
      let bad = texts.first { text in
        text.unicodeScalars.count > limit + 1
          || text.unicodeScalars.contains {
            $0.value < 0x20 || (0x7F...0x9F).contains($0.value) || (0x2028...0x202E).contains($0.value)
          }
      }
      return bad.map { $0.debugDescription }
    }
    #expect(failures == [])
  }
}
