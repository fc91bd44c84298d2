import ProcCtl
import SeededRandom
import Testing

@Suite("Durations as text")
struct DurationTextTests {
  @Test(
    "are read",
    arguments: [
      ("250ms", Duration.milliseconds(250)), ("10s", .seconds(10)), ("2m", .seconds(120)),
      ("1h", .seconds(3600)), ("10", .seconds(10)), ("0", .zero), ("0s", .zero),
      ("1.5s", .milliseconds(1500)),
      ("2.5", .milliseconds(2500)), ("0.25ms", .microseconds(250)),
      ("1.000000001s", .nanoseconds(1_000_000_001)),
      ("0.1m", .seconds(6)), ("007s", .seconds(7)), ("3162240000s", .seconds(100 * 366 * 86_400)),
    ])
  func reading(text: String, duration: Duration) throws {
    #expect(try Duration(text: text) == duration)
  }

  @Test(
    "are refused if malformed",
    arguments: [
      "", "s", "ms", ".", ".5s", "5.s", "1.2.3", "10 s", " 10s", "10s ", "10S", "10sec", "1d", "1e3", "0x10",
      "+5s", "1h30m", "1,5s", "1.0000000001s", "-", "-s", "--5", "ten", "５s", "10s\u{0}", "nan", "inf",
    ])
  func malformed(text: String) {
    #expect(throws: DurationTextError(text: text, reason: .malformed)) { try Duration(text: text) }
  }

  @Test("are refused if negative or too long")
  func outOfRange() {
    #expect(throws: DurationTextError(text: "-5s", reason: .negative)) { try Duration(text: "-5s") }
    #expect(throws: DurationTextError(text: "-0", reason: .negative)) { try Duration(text: "-0") }
    for text in ["3162240001s", "878401h", "99999999999999999999", "18446744073709551615h"] {
      #expect(throws: DurationTextError(text: text, reason: .tooLong)) { try Duration(text: text) }
    }
  }

  @Test("say what was wrong")
  func messages() {
    #expect(
      DurationTextError(text: "10x", reason: .malformed).description
        == "\"10x\" is not a duration: write 250ms, 10s, 2m or 1h")
    #expect(
      DurationTextError(text: "-1", reason: .negative).description
        == "\"-1\" is negative: a duration is zero or more")
  }

  @Test(
    "are written",
    arguments: [
      (Duration.zero, "0s"), (.milliseconds(250), "250ms"), (.milliseconds(1500), "1.5s"),
      (.seconds(10), "10s"), (.seconds(60), "1m"), (.seconds(90), "90s"), (.seconds(3600), "1h"),
      (.seconds(5400), "90m"), (.microseconds(250), "0.25ms"), (.nanoseconds(1), "0.000001ms"),
      (.nanoseconds(1_000_000_001), "1.000000001s"), (.milliseconds(-1500), "-1.5s"), (.seconds(-60), "-1m"),
    ])
  func writing(duration: Duration, text: String) {
    #expect(duration.text == text)
  }

  @Test("are read back as they were written")
  func roundTrip() throws {
    var generator = SeededRandom(seed: 7)
    for _ in 0..<5000 {
      let bits = Int.random(in: 1...61, using: &generator)
      let duration = Duration.nanoseconds(Int64.random(in: 0..<(1 << bits), using: &generator))
      #expect(try Duration(text: duration.text) == duration)
    }
  }
}
