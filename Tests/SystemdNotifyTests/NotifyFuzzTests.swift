import Glibc
import SeededRandom
import SystemPackage
import SystemdNotify
import Testing

/// What children and the service manager say, under damage. How to run more cases, or the one that
/// failed: `FuzzRun`.
@Suite("Fuzzing notifications")
struct NotifyFuzzTests {
  private static let damage = Damage(tokens: [
    "READY=1", "STATUS=", "\n", "=", "\0", "MAINPID=", "WATCHDOG_USEC=", "BARRIER=1", "FDSTORE=1", "X_",
    "\u{FEFF}",
  ])

  private static func assignments(_ random: inout SeededRandom) -> [Assignment] {
    (0..<Int.random(in: 1...6, using: &random)).compactMap { _ in
      let name = random.pick(["READY", "STATUS", "MAINPID", "X_1", "_", "ERRNO"]) ?? ""
      let value = String(decoding: random.bytes(0...30), as: UTF8.self)
      return try? Assignment(name, value)
    }
  }

  @Test("A message says what was sent, and a damaged one something that could have been sent")
  func messages() {
    let failures = FuzzRun.failures("assignments", cases: 6000) { random in
      let sent = Self.assignments(&random)
      let message = Assignment.encode(sent)
      guard Assignment.parse(message) == (sent.isEmpty ? nil : sent) else { return "\(sent)" }
      guard Assignment.parse(message + [0]) == (sent.isEmpty ? nil : sent) else {
        return "\(sent), with a NUL"
      }

      let damaged = Self.damage.apply(to: message, using: &random)
      guard let read = Assignment.parse(damaged) else { return nil }
      guard !read.isEmpty, read.allSatisfy({ (try? Assignment($0.name, $0.value)) == $0 }) else {
        return "\(damaged) reads as \(read)"
      }
      return Assignment.parse(Assignment.encode(read)) == read ? nil : "\(damaged) reads as \(read)"
    }
    #expect(failures == [])
  }

  @Test("A status is one line, not too long, and can be sent")
  func status() {
    let failures = FuzzRun.failures("status", cases: 2000) { random in
      let text = String(decoding: Self.damage.apply(to: random.bytes(0...200), using: &random), as: UTF8.self)
      let status = Assignment.status(text)
      guard status.value.utf8.count <= 1024 + 3 else { return "\(status.value.utf8.count) bytes" }
      return Assignment.parse(Assignment.encode([status])) == [status] ? nil : text.debugDescription
    }
    #expect(failures == [])
  }

  @Test("What travels beside a datagram is read within its bounds")
  func controlMessages() {
    let failures = FuzzRun.failures("control-messages", cases: 6000) { random in
      let descriptors = (0..<Int.random(in: 1...8, using: &random)).map { _ in
        FileDescriptor(rawValue: Int32.random(in: 0 ... .max, using: &random))
      }
      var buffer = ControlMessages.encode(descriptors)
      let read = buffer.withUnsafeBytes { ControlMessages.decode($0) }
      guard read.descriptors == descriptors, read.credentials == nil else { return "\(read)" }
      if random.chance(50) { buffer += buffer }
      if random.chance(50) {
        // A length at a limit, which a header's position may take beyond.
        let lengths: [Int] = [
          .max, .max - 7, .max - 15, .min, -1, 0, 15, 16, 17, buffer.count, buffer.count + 1,
        ]
        let length = random.pick(lengths) ?? 0
        let place = random.chance(50) ? 0 : buffer.count / 2 & ~7
        withUnsafeBytes(of: length) { buffer.replaceSubrange(place..<place + 8, with: $0) }
      } else {
        buffer = Self.damage.apply(to: buffer, using: &random)
      }
      let damaged = buffer.withUnsafeBytes { ControlMessages.decode($0) }
      return damaged.descriptors.count <= buffer.count / 4 ? nil : "\(buffer)"
    }
    #expect(failures == [])
  }

  @Test("An address is one that can be bound, or refused")
  func addresses() {
    let failures = FuzzRun.failures("notify-address", cases: 3000) { random in
      let start = random.pick(["/run/systemd/notify", "@abstract/name", "/", "@", "run/x", ""]) ?? ""
      let text = String(
        decoding: Self.damage.apply(to: Array(start.utf8), using: &random), as: UTF8.self)
      guard let address = try? NotifyAddress(environmentValue: text) else { return nil }
      let value = address.environmentValue
      guard (2...108).contains(value.utf8.count) || value == "/" else { return value.debugDescription }
      return (try? NotifyAddress(environmentValue: value)) == address ? nil : value.debugDescription
    }
    #expect(failures == [])
  }

  /// In a process of its own, for it changes the environment.
  @Test("Variables of the service manager are understood or refused")
  func environment() async {
    await #expect(processExitsWith: .success) {
      let damage = Damage(tokens: [":", "http", "-", "+", " ", "0x", "\n"])
      let failures = FuzzRun.failures("service-environment", cases: 1500) { random in
        func value(_ texts: [String]) -> String {
          let text = Array((random.pick(texts) ?? "").utf8)
          let damaged = random.chance(60) ? damage.apply(to: text, using: &random) : text
          return String(decoding: damaged.prefix { $0 != 0 }, as: UTF8.self)
        }
        setenv("LISTEN_PID", random.chance(80) ? "\(getpid())" : value(["1", "\(getpid())"]), 1)
        setenv("LISTEN_FDS", value(["0", "1", "2", "3"]), 1)
        setenv("LISTEN_FDNAMES", value(["a", "http:control", "::", ""]), 1)
        setenv("WATCHDOG_PID", random.chance(80) ? "\(getpid())" : value(["1"]), 1)
        setenv("WATCHDOG_USEC", value(["1", "30000000", "0"]), 1)
        if let descriptors = try? ListenDescriptors.inherited(unsetEnvironment: false) {
          let numbers = descriptors.map(\.descriptor.rawValue)
          let open = descriptors.allSatisfy { fcntl($0.descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0 }
          guard open, numbers == Array(3..<Int32(3 + descriptors.count)) else { return "\(descriptors)" }
        }
        if let watchdog = try? Watchdog.fromEnvironment() {
          guard watchdog.timeout > .zero, watchdog.pingInterval < watchdog.timeout else {
            return "\(watchdog)"
          }
        }
        return nil
      }
      for failure in failures { print(failure) }
      #expect(failures == [])
      if !failures.isEmpty { exit(1) }
    }
  }
}
