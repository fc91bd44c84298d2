import Glibc
import Testing

extension SystemTests {
  /// Control: what a test leaves outside of its directory is seen.
  @Suite struct SessionTraces {
    @Test func seen() async throws {
      try await withSession { session in
        let (own, other) = ("0123456789abcdef", "fedcba9876543210")
        try #require(
          mkdir(session.path("place"), 0o755) == 0 && mkdir(session.path("place/below"), 0o755) == 0)
        let named = try session.write("", to: "place/below/tmp-procctl%2dtest%2d\(own)-1.ledger")
        let holding = try session.write(
          "config /tmp/procctl-test-\(own)/procctl.toml\n", to: "place/2.ledger")
        _ = try session.write("config /tmp/procctl-test-\(other)/procctl.toml\n", to: "place/3.ledger")
        let found = Traces.below(session.path("place")) { Traces.isMarked($0, own) }
        #expect(Set(found) == [named, holding])
      }
    }
  }
}
