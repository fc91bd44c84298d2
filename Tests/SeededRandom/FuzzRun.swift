import Glibc
import Synchronization

/// Runs a property on many cases, each made from a seed of its own.
///
/// `PROCCTL_FUZZ_FACTOR=100` runs a hundred times as many, `PROCCTL_FUZZ_SEED=7` others, and
/// `PROCCTL_FUZZ_CASE=NAME:SEED` the one that failed. A case that ends the process, or never ends and
/// is ended by SIGTERM, is named as well.
package enum FuzzRun {
  /// Tries the property.
  ///
  /// - Parameters:
  ///   - name: names the property, so that a case of it can be run again.
  ///   - cases: how many.
  ///   - limit: the time one case may take; generous, for the machine may be busy.
  ///   - property: what is wrong in the case made from these numbers; nil if nothing is.
  /// - Returns: What is wrong, with the way to see it again; three cases at most.
  package static func failures(
    _ name: String, cases: Int, limit: Duration = .seconds(5),
    _ property: (inout SeededRandom) throws -> String?
  ) -> [String] {
    let report = CrashReport.claim()
    defer { report.clear() }
    var failures: [String] = []
    for seed in self.seeds(of: name, count: cases) {
      let replay = "PROCCTL_FUZZ_CASE=\(name):\(seed)"
      report.set("fuzzing stopped in \(replay)\n")
      var random = SeededRandom(seed: seed)
      let start = ContinuousClock.now
      do {
        if let complaint = try property(&random) { failures.append("\(replay): \(complaint)") }
      } catch {
        failures.append("\(replay): \(error)")
      }
      let time = ContinuousClock.now - start
      if time > limit { failures.append("\(replay): took \(time)") }
      if failures.count >= 3 { break }
    }
    return failures
  }

  /// Whether one case is to be run again: nothing can be said of how many were of a kind then.
  package static var isReplaying: Bool { self.variable("PROCCTL_FUZZ_CASE") != nil }

  private static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  private static func seeds(of name: String, count: Int) -> [UInt64] {
    if let one = self.variable("PROCCTL_FUZZ_CASE") {
      let parts = one.split(separator: ":")
      guard parts.count == 2, parts[0] == name, let seed = UInt64(parts[1]) else { return [] }
      return [seed]
    }
    let factor = self.variable("PROCCTL_FUZZ_FACTOR").flatMap { Int($0) } ?? 1
    var start = SeededRandom(seed: self.variable("PROCCTL_FUZZ_SEED").flatMap { UInt64($0) } ?? 1)
    // Not the same numbers for every property.
    for byte in name.utf8 { start = SeededRandom(seed: start.next() &+ UInt64(byte)) }
    return (0..<(count * max(factor, 1))).map { _ in start.next() }
  }
}

/// Lines that are written if the process ends by a trap, an abort or SIGTERM: one per test that runs.
private struct CrashReport {
  private static let slotCount = 32
  private static let slotSize = 128
  // Written by a signal handler, which may neither lock nor allocate.
  nonisolated(unsafe) private static let slots: UnsafeMutablePointer<CChar> = {
    let slots = UnsafeMutablePointer<CChar>.allocate(capacity: slotCount * slotSize)
    slots.initialize(repeating: 0, count: slotCount * slotSize)
    for signal in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGTERM] {
      Glibc.signal(signal) { signal in
        for slot in 0..<CrashReport.slotCount {
          let line = CrashReport.slots + slot * CrashReport.slotSize
          _ = write(2, line, strlen(line))
        }
        Glibc.signal(signal, SIG_DFL)
        raise(signal)
      }
    }
    return slots
  }()
  private static let free = Mutex(Array(0..<slotCount))

  private let slot: Int?

  static func claim() -> CrashReport {
    CrashReport(slot: self.free.withLock { $0.popLast() })
  }

  func set(_ line: String) {
    guard let slot = self.slot else { return }
    strncpy(CrashReport.slots + slot * CrashReport.slotSize, line, CrashReport.slotSize - 1)
  }

  func clear() {
    guard let slot = self.slot else { return }
    self.set("")
    CrashReport.free.withLock { $0.append(slot) }
  }
}
