import Glibc
import Testing

/// An official MCP client that is connected and has a stream open; see programs/client.py.
///
/// Used by one task at a time.
final class RealClient: @unchecked Sendable {
  enum Mode: String, CaseIterable, CustomTestStringConvertible {
    /// A session, of a 2025 revision.
    case legacy
    /// No session.
    case stateless = "2026-07-28"
    /// What the client finds out by itself.
    case auto
    /// A session, with the last generation of the client that knows no other.
    case older

    var testDescription: String { self.rawValue }

    /// The revision it comes to with a server that speaks them all.
    var revision: String { self == .stateless || self == .auto ? "2026-07-28" : "2025-11-25" }
  }

  private let process: TestProcess
  private let output: Capture
  let revision: String

  /// Returns once it has called the tools and its stream is open.
  ///
  /// - Parameter calls: A list for programs/client.py.
  init(_ session: TestSession, _ mode: Mode, port: UInt16, calls: String = "[]") async throws {
    let file = try session.write(calls, to: "calls-\(mode.rawValue)-\(port).json")
    self.process = try session.python(
      "client.py",
      [mode == .older ? "legacy" : mode.rawValue, "http://127.0.0.1:\(port)/mcp", file], older: mode == .older
    )
    self.output = try #require(self.process.output)
    do {
      try await self.output.expect("watching\n", within: .seconds(20))
    } catch {
      self.process.errors?.take()
      throw WaitError("\(error); \(self.process.errors?.text ?? "")")
    }
    self.revision = self.output.lines.first.map { String($0.dropFirst("speaks ".count)) } ?? ""
  }

  /// What came on its stream, and how that ended, once it has.
  func end() async throws -> [String] {
    let result = try await self.process.end(within: .seconds(20))
    #expect(result.ending == .exited(0), "\(result.errors)")
    let lines = result.outputText.split(separator: "\n").map(String.init)
    return Array(lines.drop { $0 != "watching" }.dropFirst())
  }
}
