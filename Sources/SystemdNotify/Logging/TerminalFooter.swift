/// Lines at the lower edge of a terminal, above which everything else goes on scrolling, whoever writes it.
///
/// The control sequences are those of ECMA-48 and of DEC's terminals, as in xterm's ctlseqs: DECSTBM leaves
/// the footer out of what scrolls, DECSC and DECRC keep the cursor where others left it, IND goes down in
/// the same column. A value without I/O: what is to be shown in, bytes out.
package struct TerminalFooter: Sendable {
  /// How many lines of it are on the terminal, and the height that had then.
  private var drawn = 0
  private var rows = 0
  /// A frame was cut short after the cursor had left its place.
  private var isTorn = false

  private static let save = "\u{1b}7"
  private static let restore = "\u{1b}8"

  package init() {}

  /// What shows these lines in place of those before; empty if there is nothing to do.
  ///
  /// - Parameters:
  ///   - lines: None wider than the terminal.
  ///   - rows: Its height. One line that scrolls is not enough.
  package mutating func frame(showing lines: [String], rows: Int) -> [UInt8] {
    let lines = rows - lines.count < 2 ? [] : lines
    guard !lines.isEmpty || self.drawn > 0 else { return [] }
    let resized = rows != self.rows
    // What was being written is ended (CAN), and the cursor comes back.
    var text = self.isTorn ? "\u{18}\(Self.restore)" : ""
    // What a resized terminal shows of the old one is below whatever others have written.
    if resized, self.drawn > 0 { text += "\u{1b}[J" }
    // Room for more of them; above it, what is there moves up. In a new size the terminal has begun anew.
    let before = resized ? 0 : self.drawn
    let more = max(lines.count - before, 0)
    if more > 0 { text += String(repeating: "\u{1b}D", count: more) + "\u{1b}[\(more)A" }
    // Terminals that know it hold the picture back until it is complete (DEC private mode 2026).
    text += "\(Self.save)\u{1b}[?2026h"
    if before > lines.count { text += "\u{1b}[\(rows - before + 1);1H\u{1b}[J" }
    // Set each time: a terminal may forget it when it is resized.
    text += lines.isEmpty ? "\u{1b}[r" : "\u{1b}[1;\(rows - lines.count)r"
    for (index, line) in lines.enumerated() {
      text += "\u{1b}[\(rows - lines.count + 1 + index);1H\u{1b}[2K\(line)"
    }
    text += "\u{1b}[?2026l\(Self.restore)"
    self.drawn = lines.count
    self.rows = rows
    self.isTorn = false
    return Array(text.utf8)
  }

  /// - Parameter count: How many bytes of the frame the terminal took.
  package mutating func wrote(_ count: Int, of frame: [UInt8]) {
    guard count < frame.count, let saved = frame.firstRange(of: Array(Self.save.utf8)) else { return }
    self.isTorn = count >= saved.upperBound
    // Whatever is there: the next one is drawn as the first.
    if count < saved.upperBound { self.drawn = 0 }
  }
}
