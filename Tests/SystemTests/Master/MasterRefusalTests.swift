import Glibc
import Testing

extension SystemTests {
  /// `procctl run`: what it refuses, and what only looks.
  @Suite struct MasterRefusal {
    @Test("64: a bad command line; 78: a bad configuration, its place named")
    func refused() async throws {
      try await withSession { session in
        #expect(try await session.procctl("run", "--no-such-option").end().ending == .exited(64))
        #expect(try await session.procctl("run", "one", "two").end().ending == .exited(64))
        let missing = try await session.procctl("run", Bytes(session.path("missing.toml"))).end()
        #expect(missing.ending == .exited(78))
        #expect(missing.errors.contains("missing.toml"))
        for (text, mentioned) in [
          ("[workers.alpha]\ncommand = [\"true\"]\nport = 70000\n", ":3"), ("[workers\n", ":1"),
          ("[workers.alpha]\nport = 80\n", "command"),
          ("[workers.alpha]\ncommand = [\"true\"]\nredy = \"tcp\"\n", "redy"),
        ] {
          let file = try session.write(text, to: "bad.toml")
          let result = try await session.procctl("run", Bytes(file)).end()
          #expect(result.ending == .exited(78))
          #expect(result.errors.contains("bad.toml") && result.errors.contains(mentioned), "\(result.errors)")
        }
      }
    }

    @Test("--check starts nothing")
    func check() async throws {
      try await withSession { session in
        let file = try session.write(
          TestWorker("alpha", ["touch", Bytes(session.path("started"))]).table + "\n", to: "procctl.toml")
        let result = try await session.procctl("run", "--check", Bytes(file)).end()
        #expect(result.ending == .exited(0))
        #expect(result.outputText.contains("alpha"))
        #expect(access(session.path("started"), F_OK) != 0)
      }
    }
  }
}
