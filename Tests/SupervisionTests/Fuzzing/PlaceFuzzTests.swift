import SeededRandom
import Supervision
import Testing

/// That what is said about a configuration names the place where it stands.
@Suite("Fuzzing places in a configuration")
struct PlaceFuzzTests {
  @Test("Each key of a document stands where it was written, and is not lost")
  func keys() {
    var keys = 0
    let failures = FuzzRun.failures("toml-places", cases: 400) { random in
      let document = RandomDocument(&random)
      let locator = TOMLLocator(document.text)
      for (path, line) in document.lines {
        keys += 1
        let found = locator.line(of: path.map { .key($0) })
        guard found == line else {
          return "\(path) in line \(line) found in \(found ?? 0):\n\(document.text)"
        }
      }
      return nil
    }
    #expect(failures == [])
    #expect(keys > 1000 || FuzzRun.isReplaying)
  }

  /// The library reads the documents: what is said of them is of what is in them.
  @Test("Each unknown key is reported in its line, wherever it stands")
  func unknown() {
    let failures = FuzzRun.failures("toml-complaints", cases: 250) { random in
      let document = RandomDocument(&random)
      // All its tables and keys are unknown, and the outermost of each is named.
      let expected = Set(document.lines.filter { $0.path.count == 1 }.map(\.line))
      guard !expected.isEmpty else { return nil }
      do throws(ConfigurationError) {
        _ = try parse(document.text)
        return "accepted:\n\(document.text)"
      } catch {
        let unknown = error.problems.filter { $0.message.hasPrefix("unknown ") }
        let lines = Set(unknown.compactMap(\.line))
        guard lines == expected else {
          return "\(expected.sorted()) reported as \(error.problems):\n\(document.text)"
        }
        return nil
      }
    }
    #expect(failures == [])
  }

  private static let tokens = [
    "[", "]", "{", "}", "\"", "'", "\"\"\"", "'''", "\\", "=", ",", ".", "#", "\n", "\r", "\\u0000", "\\x",
    "[[", "]]", "1e9", "inf", "0x", "_", "\t",
  ]

  @Test("A damaged document is refused in one of its lines, or all that is in it has one")
  func damaged() {
    let damage = Damage(tokens: Self.tokens)
    let failures = FuzzRun.failures("toml-damage", cases: 600) { random in
      let document = RandomDocument(&random)
      let text = String(decoding: damage.apply(to: Array(document.text.utf8), using: &random), as: UTF8.self)
      let count = 1 + text.utf8.count { $0 == UInt8(ascii: "\n") }
      do throws(ConfigurationError) {
        _ = try parse(text)
        return "accepted without a worker:\n\(text)"
      } catch {
        for problem in error.problems {
          let isWhole = problem.message.hasPrefix("there are no workers")
          guard isWhole || (1...count).contains(problem.line ?? 0) else { return "\(problem):\n\(text)" }
          guard isOneSafeLine(problem.description) else { return "\(problem.description.debugDescription)" }
        }
        return error.problems.isEmpty ? "refused without a reason:\n\(text)" : nil
      }
    }
    #expect(failures == [])
  }
}

/// Whether a person sees one line, and a terminal nothing to act on.
func isOneSafeLine(_ text: String) -> Bool {
  !text.isEmpty
    && text.unicodeScalars.allSatisfy { scalar in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator: false
      default: true
      }
    }
}
