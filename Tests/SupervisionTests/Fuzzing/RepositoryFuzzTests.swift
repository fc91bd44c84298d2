import SeededRandom
import Supervision
import SystemPackage
import TemporaryFiles
import Testing

/// The list of repositories is somebody else's file, as a rule made by a program.
@Suite("Fuzzing lists of repositories")
struct RepositoryFuzzTests {
  private static let table = """
    [repositories]
    file = "repositories.json"
    command = ["repository-worker", "--repository", "{path}", "--port", "{port}", "--name", "{name}"]
    """

  private static let damage = Damage(tokens: [
    "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u0000", "\\ud800", "\\u0041", "null", "true", "1e400", "-",
    "\n", "\"repositories\"", "\"path\": \"/a\"", "\"port\": 1", "\u{FEFF}", "/*", "{\"a\":{}}",
  ])

  private static func quoted(_ text: String, _ random: inout SeededRandom) -> String {
    let scalars = text.unicodeScalars.map { scalar -> String in
      let digits = String(scalar.value, radix: 16)
      let mustBe = scalar == "\"" || scalar == "\\" || scalar.value < 0x20
      guard mustBe || scalar.value < 0x10000 && random.chance(10) else { return String(Character(scalar)) }
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
    return "\"" + scalars.joined() + "\""
  }

  /// A list, and for each of its repositories the line and the port.
  private static func list(_ random: inout SeededRandom) -> (text: String, lines: [String: Int], ports: [Int])
  {
    var text = random.chance(20) ? "\n\n{" : "{"
    var lines: [String: Int] = [:]
    var ports: [Int] = []
    func blank(_ random: inout SeededRandom) -> String { random.pick(["", " ", "\n", "\r\n", "\t"]) ?? "" }
    text +=
      blank(&random) + Self.quoted("repositories", &random) + blank(&random) + ":" + blank(&random) + "{"
    for index in 0..<Int.random(in: 1...6, using: &random) {
      text += index > 0 ? "," + blank(&random) : ""
      let name = (random.pick(["a", "repositories", "path", "a-", "x_y.", "Z"]) ?? "") + "\(index)"
      lines[name] = 1 + text.utf8.count { $0 == UInt8(ascii: "\n") }
      ports.append(8000 + index)
      let path = Self.quoted("/srv/" + (random.pick(["r", "}", "\":{", "ä", "{port}"]) ?? ""), &random)
      let members = ["\"port\":\(blank(&random))\(8000 + index)", "\"path\":\(blank(&random))\(path)"]
      text += Self.quoted(name, &random) + ": {" + members.joined(separator: "," + blank(&random)) + "}"
    }
    return (text + "}" + blank(&random) + "}", lines, ports)
  }

  @Test("Each repository is a worker, and what is wrong with one is said with its line")
  func places() throws {
    let directory = try TemporaryDirectory()
    try directory.write(Self.table, to: "procctl.toml")
    let file = directory.path.appending("procctl.toml")
    let failures = FuzzRun.failures("repository-places", cases: 150) { random in
      let (text, lines, ports) = Self.list(&random)
      try directory.write(text, to: "repositories.json")
      let workers = try MasterConfiguration.load(file: file, environment: [:]).workers
      guard workers.compactMap({ $0.port.map(Int.init) }) == ports,
        Set(workers.map(\.name)) == Set(lines.keys)
      else { return "\(workers.map(\.name)) of \(lines) in \(text.debugDescription)" }
      // The same with one port that is none.
      guard let wrong = random.pick(lines.keys.sorted()), let index = wrong.last?.wholeNumberValue else {
        return "no name"
      }
      let pieces = text.split(separator: "\(8000 + index)", omittingEmptySubsequences: false)
      try directory.write(pieces.joined(separator: "99999999999999999999"), to: "repositories.json")
      do throws(ConfigurationError) {
        _ = try MasterConfiguration.load(file: file, environment: [:])
        return "accepted \(text.debugDescription)"
      } catch {
        guard error.problems.count == 1, error.problems.first?.line == lines[wrong] else {
          return "\(wrong) in line \(lines[wrong] ?? 0): \(error) in \(text.debugDescription)"
        }
        return nil
      }
    }
    #expect(failures == [])
  }

  @Test("A damaged list is read without loss, or refused with the file and what is wrong")
  func damaged() throws {
    let directory = try TemporaryDirectory()
    try directory.write(Self.table, to: "procctl.toml")
    let file = directory.path.appending("procctl.toml")
    var (accepted, refused) = (0, 0)
    let failures = FuzzRun.failures("repository-damage", cases: 400) { random in
      let text = String(
        decoding: Self.damage.apply(to: Array(Self.list(&random).text.utf8), using: &random), as: UTF8.self)
      try directory.write(text, to: "repositories.json")
      let count = 1 + text.utf8.count { $0 == UInt8(ascii: "\n") }
      do throws(ConfigurationError) {
        let workers = try MasterConfiguration.load(file: file, environment: [:]).workers
        accepted += 1
        guard !workers.isEmpty, Set(workers.map(\.name)).count == workers.count else {
          return "\(workers.map(\.name)) of \(text.debugDescription)"
        }
        return workers.allSatisfy { $0.port != nil } ? nil : "no port in \(text.debugDescription)"
      } catch {
        refused += 1
        for problem in error.problems {
          guard problem.file?.hasPrefix(directory.path.string) == true, problem.line ?? 1 <= count,
            isOneSafeLine(problem.description)
          else { return "\(problem.description.debugDescription) of \(text.debugDescription)" }
        }
        return error.problems.isEmpty ? "no reason" : nil
      }
    }
    #expect(failures == [])
    #expect((accepted > 5 && refused > 100) || FuzzRun.isReplaying, "\(accepted), \(refused)")
  }
}
