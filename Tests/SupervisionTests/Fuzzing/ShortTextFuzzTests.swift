import ProcCtl
import SeededRandom
import Supervision
import Testing

@Suite("Fuzzing short texts")
struct ShortTextFuzzTests {
  private static let damage = Damage(tokens: [
    ".", "ms", "s", "m", "h", "-", "+", "e9", "unlimited", ":", "nofile", "=", "SIG", "RTMIN+", "inf",
    "\u{301}",
  ])

  private static func damaged(_ texts: [String], _ random: inout SeededRandom) -> String {
    String(
      decoding: Self.damage.apply(to: Array((random.pick(texts) ?? "").utf8), using: &random), as: UTF8.self)
  }

  @Test("A duration is read as it is written")
  func durations() {
    let failures = FuzzRun.failures("duration", cases: 5000) { random in
      let longest = Duration.longestText.components.seconds * 1_000_000_000
      let shift = Int64.random(in: 0...62, using: &random)
      let duration = Duration.nanoseconds(Int64.random(in: 0...longest, using: &random) >> shift)
      guard (try? Duration(text: duration.text)) == duration else { return "\(duration) as \(duration.text)" }
      let text = Self.damaged(["250ms", "10s", "2m", "1.5h", "0", "3.000000001"], &random)
      guard let read = try? Duration(text: text) else { return nil }
      guard read >= .zero, read <= .longestText else { return "\(text.debugDescription) reads as \(read)" }
      return (try? Duration(text: read.text)) == read ? nil : "\(text.debugDescription) reads as \(read)"
    }
    #expect(failures == [])
    // Durations that were never read can be longer; they are printed all the same.
    let extremes = [Duration.seconds(Int64.max), .seconds(Int64.min), .nanoseconds(-1), .zero].map(\.text)
    #expect(extremes == ["9223372036854775807s", "-9223372036854775808s", "-0.000001ms", "0s"])
  }

  @Test("A limit is read as it is written")
  func limits() throws {
    let resource = try #require(Resource(name: "nofile"))
    let failures = FuzzRun.failures("limit", cases: 3000) { random in
      let text = Self.damaged(["1024", "1024:4096", "unlimited", "0:unlimited"], &random)
      guard let limit = try? ChildSetup.Limit(resource, text: text) else { return nil }
      guard limit.soft ?? .max <= limit.hard ?? .max else {
        return "\(text.debugDescription) reads as \(limit)"
      }
      let written = [limit.soft, limit.hard].map { $0.map { "\($0)" } ?? "unlimited" }.joined(separator: ":")
      return (try? ChildSetup.Limit(resource, text: written)) == limit ? nil : "\(text.debugDescription)"
    }
    #expect(failures == [])
  }

  @Test("A signal's name, and the guess at a wrong one")
  func signals() {
    let known = Signal.all.map(\.description)
    let failures = FuzzRun.failures("signal", cases: 3000) { random in
      let text = Self.damaged(known + ["TERM", "9", "64", "rtmin+3"], &random)
      let guess = Spelling.nearest(to: text, among: known)
      guard guess == nil || known.contains(guess ?? "") else {
        return "\(text.debugDescription): \(guess ?? "")"
      }
      guard let signal = Signal(name: text) else { return nil }
      guard (1...64).contains(signal.rawValue) else {
        return "\(text.debugDescription) reads as \(signal.rawValue)"
      }
      return Signal(name: signal.description) == signal ? nil : "\(text.debugDescription) reads as \(signal)"
    }
    #expect(failures == [])
  }
}
