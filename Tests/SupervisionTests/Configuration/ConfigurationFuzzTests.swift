import SeededRandom
import Supervision
import Testing

@Suite("A damaged configuration")
struct ConfigurationFuzzTests {
  /// Damages a text in a few places: bytes deleted, doubled, swapped or replaced, lines moved about.
  private func damage(_ bytes: [UInt8], using generator: inout SeededRandom) -> [UInt8] {
    var bytes = bytes
    let interesting = Array("[]{}\"'#=,.\\\n\r\t -0u9".utf8) + [0x00, 0x7F, 0x80, 0xC3, 0xFF]
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      guard !bytes.isEmpty else { break }
      let start = Int.random(in: 0..<bytes.count, using: &generator)
      let end = min(bytes.count, start + Int.random(in: 1...12, using: &generator))
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: bytes.removeSubrange(start..<end)
      case 1: bytes.insert(contentsOf: bytes[start..<end], at: start)
      case 2: bytes[start] = interesting.randomElement(using: &generator) ?? 0
      case 3: bytes[start] = UInt8.random(in: 0...255, using: &generator)
      case 4: bytes.insert(interesting.randomElement(using: &generator) ?? 0, at: start)
      default:
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(
          Array.init)
        let from = Int.random(in: 0..<lines.count, using: &generator)
        let line = lines[from]
        if Bool.random(using: &generator) { lines.remove(at: from) }
        lines.insert(line, at: Int.random(in: 0...lines.count, using: &generator))
        bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
      }
    }
    return bytes
  }

  @Test(
    "is read or refused with a line of the file, and nothing else", arguments: 1...8 as ClosedRange<UInt64>)
  func mutations(seed: UInt64) {
    var generator = SeededRandom(seed: seed)
    let original = Array(ConfigurationReadingTests.complete.utf8)
    var accepted = 0
    var refused = 0
    for round in 0..<800 {
      let text = String(decoding: self.damage(original, using: &generator), as: UTF8.self)
      let lineCount = 1 + text.utf8.count { $0 == UInt8(ascii: "\n") }
      do throws(ConfigurationError) {
        let configuration = try parse(
          text, unavailable: round.isMultiple(of: 4) ? ConfigurationKey.unavailable : [])
        accepted += 1
        #expect(!configuration.workers.isEmpty)
        #expect(Set(configuration.workers.map(\.name)).count == configuration.workers.count)
        for worker in configuration.workers {
          #expect(worker.stop.last?.isKill == true)
          #expect(worker.arguments().first?.isEmpty == false)
          #expect(worker.port != nil || !worker.ready.needsPort)
        }
      } catch {
        refused += 1
        #expect(!error.problems.isEmpty)
        for problem in error.problems {
          #expect(problem.file == "procctl.toml")
          let line = problem.line ?? (problem.message.hasPrefix("there are no workers") ? 1 : 0)
          #expect((1...lineCount).contains(line), "\(problem) in seed \(seed), round \(round)")
          #expect(!problem.description.contains { $0.isNewline }, "\(problem)")
        }
      }
    }
    // Without both, the damage is too little or too much to show anything.
    #expect(accepted > 10 && refused > 200, "\(accepted) accepted, \(refused) refused")
  }
}
