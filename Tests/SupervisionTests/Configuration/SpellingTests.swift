import Supervision
import Testing

@Suite("Guessing what was meant")
struct SpellingTests {
  @Test(
    "counts slips",
    arguments: [
      ("", "", 0), ("a", "", 1), ("", "ab", 2), ("comand", "command", 1), ("prot", "port", 1),
      ("por", "port", 1),
      ("kitten", "sitting", 3), ("ab", "ba", 1), ("ca", "abc", 3), ("same", "same", 0),
    ])
  func distance(left: String, right: String, distance: Int) {
    #expect(Spelling.distance(left, right) == distance)
    #expect(Spelling.distance(right, left) == distance)
  }

  @Test("finds the nearest word, or none")
  func nearest() {
    let words = ["command", "port", "ready", "user", "stop"]
    #expect(Spelling.nearest(to: "comand", among: words) == "command")
    #expect(Spelling.nearest(to: "uesr", among: words) == "user")
    #expect(Spelling.nearest(to: "raedy", among: words) == "ready")
    #expect(Spelling.nearest(to: "colour", among: words) == nil)
    #expect(Spelling.nearest(to: "", among: words) == nil)
    #expect(Spelling.nearest(to: "x", among: []) == nil)
  }
}
