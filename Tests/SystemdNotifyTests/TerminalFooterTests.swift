import SystemdNotify
import Testing

/// As much of a terminal as a footer needs (ECMA-48, xterm's ctlseqs).
private struct Screen {
  let columns: Int
  var rows: Int
  private(set) var lines: [[Character]]
  private(set) var scrolledOff: [String] = []
  private var (row, column) = (0, 0)
  private var saved = (0, 0)
  private var region: ClosedRange<Int>

  init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
    self.lines = Array(repeating: [], count: rows)
    self.region = 0...rows - 1
  }

  func text(_ row: Int) -> String { String(self.lines[row]) }

  /// All there is to be seen and has been, without empty lines.
  var everything: [String] { (self.scrolledOff + self.lines.map { String($0) }).filter { !$0.isEmpty } }

  private mutating func down() {
    guard self.row == self.region.upperBound else {
      self.row = min(self.row + 1, self.rows - 1)
      return
    }
    let top = self.lines.remove(at: self.region.lowerBound)
    if self.region.lowerBound == 0 { self.scrolledOff.append(String(top)) }
    self.lines.insert([], at: self.region.upperBound)
  }

  mutating func take(_ text: String) {
    var rest = Array(text.unicodeScalars)[...]
    while let character = rest.popFirst() {
      switch character {
      case "\u{1b}": self.escape(&rest)
      case "\u{18}": break
      case "\r": self.column = 0
      // As the terminal's driver writes it (ONLCR).
      case "\n":
        self.down()
        self.column = 0
      default:
        var line = self.lines[self.row]
        while line.count <= self.column { line.append(" ") }
        line[self.column] = Character(character)
        self.lines[self.row] = line
        self.column += 1
      }
    }
  }

  private mutating func escape(_ rest: inout ArraySlice<Unicode.Scalar>) {
    switch rest.popFirst() {
    case "7": self.saved = (self.row, self.column)
    case "8": (self.row, self.column) = self.saved
    case "D": self.down()
    case "[":
      var parameters = ""
      while let next = rest.popFirst() {
        guard next.properties.isAlphabetic else {
          parameters.unicodeScalars.append(next)
          continue
        }
        self.control(next, parameters.split(separator: ";").map { Int($0) ?? 0 })
        return
      }
    default: break
    }
  }

  private mutating func control(_ final: Unicode.Scalar, _ numbers: [Int]) {
    switch final {
    case "A": self.row = max(self.row - (numbers.first ?? 1), self.region.lowerBound)
    case "H": (self.row, self.column) = (min(numbers[0], self.rows) - 1, numbers[1] - 1)
    case "J":
      self.lines[self.row] = Array(self.lines[self.row].prefix(self.column))
      for row in self.lines.indices.dropFirst(self.row + 1) { self.lines[row] = [] }
    case "K": self.lines[self.row] = []
    case "r":
      self.region = numbers.count == 2 ? (numbers[0] - 1)...(numbers[1] - 1) : 0...self.rows - 1
      (self.row, self.column) = (0, 0)
    default: break
    }
  }
}

@Suite struct TerminalFooterTests {
  private func show(_ lines: [String], _ footer: inout TerminalFooter, on screen: inout Screen) {
    screen.take(String(decoding: footer.frame(showing: lines, rows: screen.rows), as: UTF8.self))
  }

  @Test("what others write stays whole, and the footer below it", arguments: [0, 3, 8, 40])
  func others(already: Int) {
    var screen = Screen(columns: 40, rows: 10)
    var footer = TerminalFooter()
    var written: [String] = []
    func write(_ text: String, _ screen: inout Screen) {
      screen.take(text + "\n")
      written += text.split(separator: "\n").map(String.init)
    }
    for number in 0..<already { write("before \(number)", &screen) }
    let frames = [
      ["a", "b", "bar"], ["a 2", "b 2", "bar 2"], ["b 3", "bar 3"], ["a", "b", "c", "bar 4"], ["bar 5"],
    ]
    for (number, frame) in frames.enumerated() {
      self.show(frame, &footer, on: &screen)
      #expect((screen.rows - frame.count..<screen.rows).map { screen.text($0) } == frame)
      write("one line \(number)", &screen)
      write("two \(number)\nlines \(number)", &screen)
      #expect((screen.rows - frame.count..<screen.rows).map { screen.text($0) } == frame)
      #expect(screen.everything == written + frame)
    }
    self.show([], &footer, on: &screen)
    write("after", &screen)
    #expect(screen.everything == written)
  }

  @Test("a line that is not complete goes on where it was")
  func midLine() {
    var screen = Screen(columns: 40, rows: 10)
    var footer = TerminalFooter()
    screen.take(String(repeating: "\n", count: 20) + "half")
    self.show(["a", "bar"], &footer, on: &screen)
    screen.take(" a line\n")
    self.show([], &footer, on: &screen)
    #expect(screen.everything == ["half a line"])
  }

  @Test("a frame of which any part was lost does no lasting harm")
  func torn() {
    let whole = TerminalFooter()
    var probe = whole
    let length = probe.frame(showing: ["a", "bar"], rows: 10).count
    for count in 0...length {
      var screen = Screen(columns: 40, rows: 10)
      var footer = whole
      screen.take("first\n")
      let frame = footer.frame(showing: ["a", "bar"], rows: 10)
      screen.take(String(decoding: frame.prefix(count), as: UTF8.self))
      footer.wrote(count, of: frame)
      self.show(["b", "bar"], &footer, on: &screen)
      screen.take("second\n")
      #expect([screen.text(8), screen.text(9)] == ["b", "bar"], "after \(count) bytes")
      self.show([], &footer, on: &screen)
      screen.take("third\n")
      #expect(screen.everything.filter { $0 != "[" } == ["first", "second", "third"], "after \(count) bytes")
    }
  }

  @Test("a terminal too low for it shows none")
  func low() {
    var footer = TerminalFooter()
    #expect(footer.frame(showing: ["bar"], rows: 2).isEmpty)
    #expect(!footer.frame(showing: ["bar"], rows: 3).isEmpty)
  }
}
