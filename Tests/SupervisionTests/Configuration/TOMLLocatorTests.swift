import SeededRandom
import Supervision
import Testing

@Suite("The lines of a TOML document")
struct TOMLLocatorTests {
  @Test("are found in tables, dotted keys and quoted keys")
  func keys() {
    let locator = TOMLLocator(
      """
      top = 1

      [a.b]  # a = 9
      c = 2
      d.e = 3
      d . "f g" = 4
      'h.i' = 5
      "q\\"\\u0041" = 6
      [ x . 'y]z' ]
      k = 7
      [a]
      late = 8
      """)
    #expect(locator.line(of: ["top"]) == 1)
    #expect(locator.line(of: ["a"]) == 3)
    #expect(locator.line(of: ["a", "b"]) == 3)
    #expect(locator.line(of: ["a", "b", "c"]) == 4)
    #expect(locator.line(of: ["a", "b", "d"]) == 5)
    #expect(locator.line(of: ["a", "b", "d", "e"]) == 5)
    #expect(locator.line(of: ["a", "b", "d", "f g"]) == 6)
    #expect(locator.line(of: ["a", "b", "h.i"]) == 7)
    #expect(locator.line(of: ["a", "b", "q\"A"]) == 8)
    #expect(locator.line(of: ["x", "y]z", "k"]) == 10)
    #expect(locator.line(of: ["a", "late"]) == 12)
    #expect(locator.line(of: ["a", "a"]) == nil)
    #expect(locator.line(of: ["late"]) == nil)
  }

  @Test("are not confused by strings and comments")
  func strings() {
    let locator = TOMLLocator(
      #"""
      # fake = 1
      one = "# not a comment \" = ] } fake = 2"
      two = 'C:\' # fake = 3
      three = """
      fake = 4
      [fake]
      \""" still "" in \
          it"""
      four = '''
      fake = "5"
      ''''
      five = """"quoted""""" # fake = 6
      six = ""
      seven = """"""
      eight = ''
      nine = 1979-05-27T07:32:00Z # fake
      """#)
    for (key, line) in [
      ("one", 2), ("two", 3), ("three", 4), ("four", 9), ("five", 12), ("six", 13), ("seven", 14),
      ("eight", 15),
      ("nine", 16),
    ] {
      #expect(locator.line(of: [.key(key)]) == line, "\(key)")
    }
    #expect(locator.line(of: ["fake"]) == nil)
  }

  @Test("are found in arrays and inline tables")
  func nested() {
    let locator = TOMLLocator(
      """
      flat = [1, "two", [3, 4]] # ]
      long = [
        "a", # ]
        # "no"
        { x = 1, y.z = [
          2,
        ] },

        "b" ]
      inline = { a = { b = "}" }, "c d" = '{', e = [] }
      after = 1
      """)
    #expect(locator.line(of: ["flat", 2, 1]) == 1)
    #expect(locator.line(of: ["flat", 3]) == nil)
    #expect(locator.line(of: ["long", 0]) == 3)
    #expect(locator.line(of: ["long", 1]) == 5)
    #expect(locator.line(of: ["long", 1, "y", "z", 0]) == 6)
    #expect(locator.line(of: ["long", 2]) == 9)
    #expect(locator.line(of: ["inline", "a", "b"]) == 10)
    #expect(locator.line(of: ["inline", "c d"]) == 10)
    #expect(locator.line(of: ["inline", "e", 0]) == nil)
    #expect(locator.line(of: ["after"]) == 11)
  }

  @Test("tell the elements of an array of tables apart")
  func arraysOfTables() {
    let locator = TOMLLocator(
      """
      [[c]]
      n = 1
      [c.sub]
      k = 1
      [[c.deep]]
      d = 1
      [[c.deep]]
      d = 2
      [[c]]
      n = 2
      [c.sub]
      k = 2
      [[c.deep]]
      d = 3
      """)
    #expect(locator.line(of: ["c", 0, "n"]) == 2)
    #expect(locator.line(of: ["c", 0, "sub", "k"]) == 4)
    #expect(locator.line(of: ["c", 0, "deep", 1, "d"]) == 8)
    #expect(locator.line(of: ["c", 1]) == 9)
    #expect(locator.line(of: ["c", 1, "sub", "k"]) == 12)
    #expect(locator.line(of: ["c", 1, "deep", 0, "d"]) == 14)
    #expect(locator.line(of: ["c", 2]) == nil)
  }

  @Test("do not depend on how lines end")
  func lineEnds() {
    #expect(TOMLLocator("a = 1\r\n\r\n[b]\r\nc = '''\r\n'''\r\nd = 1").line(of: ["b", "d"]) == 6)
    #expect(TOMLLocator("\u{FEFF}a = 1\nb = 2").line(of: ["a"]) == 1)
    #expect(TOMLLocator("").line(of: ["a"]) == nil)
    #expect(TOMLLocator("").line(of: []) == 1)
  }

  @Test("survive any text")
  func garbage() {
    let fragments = [
      "[", "]", "[[", "]]", "{", "}", "\"", "'", "\"\"\"", "'''", "\\", "\\u12", "\n", "#", "=", ",", ".",
      "a",
      "é", "\u{0}", " ",
    ]
    var generator = SeededRandom(seed: 11)
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...30, using: &generator)
      let text = (0..<count).map { _ in fragments.randomElement(using: &generator) ?? "" }.joined()
      let lines = 1 + text.utf8.count { $0 == UInt8(ascii: "\n") }
      let locator = TOMLLocator(text)
      #expect((1...lines).contains(locator.line(of: ["a"]) ?? 1))
    }
    #expect(TOMLLocator("a = " + String(repeating: "[", count: 100_000)).line(of: ["a"]) == 1)
    #expect(TOMLLocator("a = " + String(repeating: "{a=", count: 100_000)).line(of: ["a"]) == 1)
  }

  @Test("of zeros are remembered")
  func zeros() {
    let locator = TOMLLocator(
      "a = \"\\u0000\"\nb = '\\u0000'\nc = \"\"\"\n\\U00000000\"\"\"\nd = \"\\\\u0000\"")
    #expect(locator.linesOfZeroEscapes == [1, 4])
  }
}
