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
    let contents: Contents
    do {
      contents = try JSONDecoder().decode(Contents.self, from: Data(text.utf8))
    } catch DecodingError.dataCorrupted(let context) {
      report(nil, "is not valid JSON" + RepositoryFile.details(of: context))
      return
    } catch {
      report(nil, "must be an object with \"repositories\"")
      return
    }
    for key in contents.unknownKeys.sorted() {
      report(nil, reader.unknown("key", key, among: ["repositories"]))
    }
    guard let decoded = contents.repositories else {
      report(nil, "must have \"repositories\", an object with a member for each repository")
      return
    }
    let outline = JSONOutline(text, membersOf: "repositories")
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

  /// What the decoder says about a mistake in the syntax, with the place it names.
  private static func details(of context: DecodingError.Context) -> String {
    guard let error = context.underlyingError else { return "" }
    return ": " + String(describing: error).prefix { $0 != "\n" }
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private struct Contents: Decodable {
    var repositories: [String: DecodedEntry]?
    var unknownKeys: [String]

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Key.self)
      self.unknownKeys = container.allKeys.map(\.stringValue).filter { $0 != "repositories" }
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
      if self.hasPort, !(1...65535).contains(self.port ?? 0) {
        problems.append("\"port\" must be an integer from 1 to 65535")
      }
      return problems
    }
  }
}
