import GracefulShutdown
import NIOHTTP1
import RepositoryWorker
import Testing

@Suite(.timeLimit(.minutes(1))) struct WorkerServiceTests {
  @Test func healthSaysWhatIsOpen() async throws {
    let service = TestService()
    _ = try await service.open()
    let response = try await service.response(WorkerRequest(.GET, "/health?verbose"))
    #expect(response.status == .ok)
    #expect(
      try response.json == ["status": "ok", "phase": "running", "sessions": 1, "clients": 0, "requests": 0])
    #expect(try await service.response(WorkerRequest(.POST, "/health")).status == .methodNotAllowed)
  }

  @Test func aPageOfAnotherSiteCannotStopIt() async throws {
    let service = TestService()
    let request = WorkerRequest(.POST, "/shutdown", headers: ["Origin": "http://evil.example"])
    #expect(try await service.response(request).status == .forbidden)
    #expect(try await service.response(WorkerRequest(.GET, "/shutdown")).status == .methodNotAllowed)
    #expect(!service.shutdown.isShuttingDown)
    #expect(try await service.response(WorkerRequest(.POST, "/shutdown")).status == .accepted)
    #expect(service.shutdown.isShuttingDown)
    #expect(try await service.response(WorkerRequest(.POST, "/shutdown")).status == .accepted)
    #expect(await service.shutdown.report.reason == "requested by POST /shutdown")
  }

  @Test func otherPathsAreNotFound() async throws {
    let service = TestService()
    for path in ["/", "/mcp/", "/healthz", "/mcp/../health", ""] {
      #expect(try await service.response(WorkerRequest(.GET, path)).status == .notFound)
    }
  }
}
