/// Rows of cells in columns as wide as what is in them.
struct TextColumns {
  struct Cell {
    var text: String
    var colour: TextStyle.Colour?

    init(_ text: String, _ colour: TextStyle.Colour? = nil) {
      self.text = text
      self.colour = colour
    }
  }

  /// A cell longer than this is cut.
  private static let widest = 60

  private var rows: [[Cell]]

  init(_ headings: [String]) { self.rows = [headings.map { Cell($0, .bold) }] }

  mutating func add(_ cells: [Cell]) {
    self.rows.append(
      cells.map { cell in
        var cell = cell
        if cell.text.count > Self.widest { cell.text = cell.text.prefix(Self.widest - 1) + "…" }
        return cell
      })
  }

  func lines(_ style: TextStyle) -> [String] {
    let count = self.rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in
      self.rows.map { column < $0.count ? $0[column].text.count : 0 }.max() ?? 0
    }
    return self.rows.map { row in
      var line = ""
      var gap = 0
      for (column, cell) in row.enumerated() {
        if !cell.text.isEmpty {
          line += String(repeating: " ", count: gap) + style.paint(cell.text, cell.colour)
          gap = 0
        }
        gap += widths[column] - cell.text.count + 2
      }
      return line
    }
  }
}
