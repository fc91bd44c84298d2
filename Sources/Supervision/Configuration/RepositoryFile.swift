internal import FoundationEssentials
internal import ProcCtl

/// The file that lists repositories: `{"repositories": {NAME: {"path": …, "port": …}}}`.
struct RepositoryFile {
  struct Entry {
    var name: String
    var line: Int
    /// As it is written.
    var path: String
    var port: UInt16?
    /// Whether it says anything about a port, right or wrong.
    var hasPort: Bool
  }

  /// In the order of the file.
  var entries: [Entry] = []
  var problems: [ConfigurationError.Problem] = []

  /// Reads the text, collecting what is wrong with it.
  init(text: String, fileName: String, reader: ConfigurationReader) {
    func report(_ line: Int?, _ message: String) {
      self.problems.append(ConfigurationError.Problem(file: fileName, line: line, message: message))
    }
    // The decoder would take it for another encoding.
    if let zero = text.utf8.firstIndex(of: 0) {
      let line = 1 + text.utf8[..<zero].count { $0 == UInt8(ascii: "\n") }
      report(line, "the character zero cannot be part of it")
      return
    }
    let contents: Contents
    do {
      contents = try JSONDecoder().decode(Contents.self, from: Data(text.utf8))
    } catch DecodingError.dataCorrupted {
      report(JSONSyntax.lineOfMistake(in: text), "is not valid JSON")
      return
    } catch {
      report(nil, "must be an object with \"repositories\"")
      return
    }
    let outline = JSONOutline(text, membersOf: "repositories")
    var keys: Set<String> = []
    for (key, line) in outline.outermost {
      if key != "repositories" { report(line, reader.unknown("key", key, among: ["repositories"])) }
      // The decoder would take one of the two, and nobody would know which.
      if !keys.insert(key).inserted { report(line, "\(reader.quoted(key)) is there twice") }
    }
    guard let decoded = contents.repositories else {
      report(nil, "must have \"repositories\", an object with a member for each repository")
      return
    }
    for (key, name, line) in outline.repeated {
      report(line, "repository \(reader.quoted(name)): \(reader.quoted(key)) is there twice")
    }
    var seen: Set<String> = []
    for (name, line) in outline.members {
      guard seen.insert(name).inserted else {
        report(line, "repository \(reader.quoted(name)) is there twice")
        continue
      }
      guard let entry = decoded[name] else { continue }
      for problem in entry.problems(reader) { report(line, "repository \(reader.quoted(name)): \(problem)") }
      if let path = entry.path, !path.isEmpty {
        self.entries.append(
          Entry(
            name: name, line: line, path: path, port: entry.port.flatMap { UInt16(exactly: $0) },
            hasPort: entry.hasPort))
      }
    }
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private struct Contents: Decodable {
    var repositories: [String: DecodedEntry]?

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Key.self)
      self.repositories = try? container.decode(
        [String: DecodedEntry].self, forKey: Key(stringValue: "repositories"))
    }
  }

  /// An entry as far as it can be read, and which of its members cannot.
  private struct DecodedEntry: Decodable {
    var isObject = false
    var path: String?
    var port: Int?
    var hasPort = false
    var unknownKeys: [String] = []

    init(from decoder: any Decoder) throws {
      guard let container = try? decoder.container(keyedBy: Key.self) else { return }
      self.isObject = true
      self.path = try? container.decode(String.self, forKey: Key(stringValue: "path"))
      self.port = try? container.decode(Int.self, forKey: Key(stringValue: "port"))
      self.hasPort = container.contains(Key(stringValue: "port"))
      self.unknownKeys = container.allKeys.map(\.stringValue).filter { $0 != "path" && $0 != "port" }.sorted()
    }

    func problems(_ reader: ConfigurationReader) -> [String] {
      guard self.isObject else { return ["must be an object with \"path\" and \"port\""] }
      var problems = self.unknownKeys.map { reader.unknown("key", $0, among: ["path", "port"]) }
      if self.path?.isEmpty ?? true { problems.append("\"path\" must be a path") }
      // execve(2) could not pass it on.
      if self.path?.utf8.contains(0) == true {
        problems.append("the character zero cannot be part of a path")
      }
      if self.hasPort, !(1...65535).contains(self.port ?? 0) {
        problems.append("\"port\" must be an integer from 1 to 65535")
      }
      return problems
    }
  }
}
