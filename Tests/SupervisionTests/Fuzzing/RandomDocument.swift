import SeededRandom

/// A TOML document made at random, and the line on which each of its keys stands.
struct RandomDocument {
  private(set) var text = ""
  /// Each key once, by its path.
  private(set) var lines: [(path: [String], line: Int)] = []
  private var line = 1
  private var next = 0

  init(_ random: inout SeededRandom) {
    self.pairs(below: [], &random)
    for _ in 0..<Int.random(in: 0...4, using: &random) {
      self.filler(&random)
      let path = (0..<Int.random(in: 1...3, using: &random)).map { _ in self.name(&random) }
      // Above it stand the names before its last.
      for end in path.indices { self.lines.append((Array(path[...end]), self.line)) }
      let dot = random.chance(20) ? " . " : "."
      let keys = path.map { self.written($0, &random) }.joined(separator: dot)
      self.write("[\(random.chance(20) ? " \(keys) " : keys)]\(self.comment(&random))\n")
      self.pairs(below: path, &random)
    }
  }

  private mutating func write(_ piece: String) {
    self.text += piece
    self.line += piece.utf8.count { $0 == UInt8(ascii: "\n") }
  }

  /// No name twice, so that no key is there twice; some of them have to be quoted.
  private mutating func name(_ random: inout SeededRandom) -> String {
    self.next += 1
    let kinds = ["k", "with space ", "a.b", "#", "q\"", "back\\", "ä", "tab\t", "[", "=", "key-_"]
    return (random.pick(kinds) ?? "") + "\(self.next)"
  }

  private func isBare(_ name: String) -> Bool {
    name.utf8.allSatisfy {
      ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") || $0 == UInt8(ascii: "-")
        || $0 == UInt8(ascii: "_") || $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")
    }
  }

  private func written(_ name: String, _ random: inout SeededRandom) -> String {
    if self.isBare(name), random.chance(70) { return name }
    if !name.utf8.contains(UInt8(ascii: "'")), random.chance(40) { return "'\(name)'" }
    return "\"" + name.unicodeScalars.map { self.escaped($0, &random) }.joined() + "\""
  }

  private func escaped(_ scalar: Unicode.Scalar, _ random: inout SeededRandom) -> String {
    let digits = String(scalar.value, radix: 16)
    if random.chance(10) { return "\\U" + String(repeating: "0", count: 8 - digits.count) + digits }
    switch scalar {
    case "\"": return "\\\""
    case "\\": return "\\\\"
    case "\t": return "\\t"
    default: return String(Character(scalar))
    }
  }

  private func comment(_ random: inout SeededRandom) -> String {
    random.chance(20) ? " # [no.table] k = \"" : ""
  }

  /// What stands between statements.
  private mutating func filler(_ random: inout SeededRandom) {
    while random.chance(30) {
      self.write(random.pick(["\n", "  \n", "\r\n", "# k = 1\n", "\t# [t]\n", "#\"\"\"\n"]) ?? "")
    }
  }

  private mutating func pairs(below table: [String], _ random: inout SeededRandom) {
    for _ in 0..<Int.random(in: 0...4, using: &random) {
      self.filler(&random)
      self.pair(below: table, depth: 0, &random)
      self.write(self.comment(&random) + (random.chance(10) ? "\r\n" : "\n"))
    }
  }

  private mutating func pair(below table: [String], depth: Int, _ random: inout SeededRandom) {
    var path = table
    let count = random.chance(20) ? 2 : 1
    let names = (0..<count).map { _ in self.name(&random) }
    for name in names {
      path.append(name)
      self.lines.append((path, self.line))
    }
    self.write(names.map { self.written($0, &random) }.joined(separator: random.chance(20) ? " . " : "."))
    self.write(random.chance(80) ? " = " : "=")
    self.value(at: path, depth: depth, &random)
  }

  private mutating func value(at path: [String], depth: Int, _ random: inout SeededRandom) {
    switch Int.random(in: 0..<(depth < 3 ? 10 : 8), using: &random) {
    case 0: self.write("\(Int.random(in: -9...9, using: &random))")
    case 1: self.write("1979-05-27T07:32:00Z")
    case 2: self.write("\"# no \\\" comment ] } \\\\\"")
    case 3: self.write("'C:\\'")
    case 4: self.write("\"\"\"\nk = 1 \"\" \\\n   [t]\n\\\"\"\" ''' \"\"\"\"\"")
    case 5: self.write("'''\n[t]\n k = '' \\''''")
    case 6: self.write("true")
    case 7: self.write("\"\"")
    case 8:
      self.write("[")
      for _ in 0..<Int.random(in: 0...3, using: &random) {
        self.filler(&random)
        // What is in an array has no key.
        self.write(random.pick(["1", "\"]\"", "[ 2 ]", "'''\n'''", "{ }", "\"\"\"a\nb\"\"\""]) ?? "")
        self.filler(&random)
        self.write(", ")
      }
      self.write("]")
    default:
      self.write("{ ")
      for index in 0..<Int.random(in: 0...3, using: &random) {
        if index > 0 { self.write(", ") }
        self.pair(below: path, depth: depth + 1, &random)
      }
      self.write(" }")
    }
  }
}
