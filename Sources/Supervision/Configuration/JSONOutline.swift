internal import FoundationEssentials

/// The keys of a JSON text that lists something, in the order of the text and with their lines, which the
/// decoder does not tell; and which of them it leaves out, because they are there twice. It is meant for
/// text the decoder has accepted.
struct JSONOutline {
  /// Those of the outermost object.
  private(set) var outermost: [(name: String, line: Int)] = []
  /// Those of the object that lists.
  private(set) var members: [(name: String, line: Int)] = []
  /// Keys of one of these that the same member has already, with the member's name.
  private(set) var repeated: [(name: String, member: String, line: Int)] = []

  /// - Parameter parent: the key of the object that lists, which is a member of the outermost one.
  init(_ text: String, membersOf parent: String) {
    let bytes = Array(text.utf8)
    var line = 1
    var depth = 0
    var seen: Set<String> = []
    var position = 0
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\n"): line += 1
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: "\""):
        let end = JSONOutline.endOfString(bytes, from: position)
        // Only a key has a colon after it.
        if depth <= 3, JSONOutline.isFollowedByColon(bytes, from: end) {
          let literal = Data(bytes[position..<end])
          let key = (try? JSONDecoder().decode(String.self, from: literal)) ?? ""
          let isBelow = self.outermost.last?.name == parent
          switch depth {
          case 1: self.outermost.append((key, line))
          case 2 where isBelow:
            self.members.append((key, line))
            seen = []
          case 3 where isBelow:
            if !seen.insert(key).inserted { self.repeated.append((key, self.members.last?.name ?? "", line)) }
          default: break
          }
        }
        position = end
        continue
      default: break
      }
      position += 1
    }
  }

  /// The position after the closing quote.
  private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int {
    var position = start + 1
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""): return position + 1
      case UInt8(ascii: "\\"): position += 2
      default: position += 1
      }
    }
    return bytes.count
  }

  private static func isFollowedByColon(_ bytes: [UInt8], from start: Int) -> Bool {
    let next = bytes[start...].first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    return next == UInt8(ascii: ":")
  }
}
