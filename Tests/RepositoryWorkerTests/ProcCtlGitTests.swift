import Foundation
import ProcCtl
import RepositoryWorker
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(1))) struct ProcCtlGitTests {
  @Test func theCommandInheritsNothing() throws {
    let command = ProcCtlGit(repository: "/srv/alpha", searchPath: "/bin").command(["log", "--", "-p"])
    #expect(command.executable == .name("git"))
    #expect(command.arguments == ["--no-pager", "log", "--", "-p"])
    #expect(command.directory == "/srv/alpha")
    let entries = command.environment.entries().map(\.description)
    for entry in [
      "PATH=/bin", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
      "GIT_OPTIONAL_LOCKS=0", "GIT_LITERAL_PATHSPECS=1", "GIT_CEILING_DIRECTORIES=/srv",
      "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=/srv/alpha",
    ] {
      #expect(entries.contains(entry))
    }
    let count = entries.filter { $0.hasPrefix("GIT_CONFIG_KEY_") }.count
    #expect(entries.contains("GIT_CONFIG_COUNT=\(count)"))
    #expect(!entries.contains { $0.hasPrefix("USER=") || $0.hasPrefix("GIT_DIR=") || $0 == "HOME=/root" })
  }

  @Test func runsAndReportsTheStatus() async throws {
    let fixture = try await GitRepositoryFixture.make()
    let git = fixture.procCtlGit()
    let head = try await git.run(["rev-parse", "HEAD"], outputLimit: 100)
    #expect(head.status == 0)
    #expect(try await String(decoding: head.output, as: UTF8.self) == fixture.git("rev-parse", "HEAD") + "\n")
    let bad = try await git.run(["rev-parse", "--verify", "nope"], outputLimit: 100)
    #expect(bad.status == 128)
    #expect(bad.errorText.hasPrefix("fatal:"))
  }

  @Test func outputOverTheLimitIsCut() async throws {
    let fixture = try await GitRepositoryFixture.make()
    try fixture.write("big", String(repeating: "0123456789\n", count: 200_000))
    try await fixture.git("add", "big")
    let blob = try await fixture.git("rev-parse", ":big")
    let output = try await fixture.procCtlGit().run(["cat-file", "blob", blob], outputLimit: 1000)
    #expect(output.isTruncated)
    #expect(output.output.count == 1000)
    #expect(output.status == nil)
    let whole = try await fixture.procCtlGit().run(["cat-file", "blob", blob], outputLimit: 4 << 20)
    #expect(!whole.isTruncated)
    #expect(whole.output.count == 2_200_000)
  }

  @Test func whatTakesTooLongIsEnded() async throws {
    let fixture = try await GitRepositoryFixture.make()
    let git = fixture.procCtlGit(timeLimit: .milliseconds(300))
    // An alias that is a shell command waits for as long as we like.
    let output = try await git.run(["-c", "alias.hang=!sleep 60", "hang"], outputLimit: 100)
    #expect(output.isOverdue)
    #expect(output.status == nil)
  }

  @Test func cancellingTheTaskEndsGit() async throws {
    let fixture = try await GitRepositoryFixture.make()
    let git = fixture.procCtlGit(timeLimit: .seconds(50))
    let task = Task { try await git.run(["-c", "alias.hang=!sleep 60", "hang"], outputLimit: 100) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func noGitIsNoCrash() async throws {
    let git = ProcCtlGit(repository: "/", searchPath: "/nonexistent")
    await #expect(throws: GitUnavailable.self) { try await git.run(["version"], outputLimit: 100) }
  }

  @Test func onlyTheRootOfARepositoryWillDo() async throws {
    let fixture = try await GitRepositoryFixture.make()
    try await fixture.repository.check()
    var git = fixture.procCtlGit()
    git.repository = fixture.root.appending("sub dir")
    let inside = Repository(name: "inside", git: git)
    await #expect(throws: ToolError.self) { try await inside.check() }
  }

  @Test func aRepositoryOfSomebodyElseCanBeRead() async throws {
    let fixture = try await GitRepositoryFixture.make()
    try #require(geteuid() == 0, "only root can give a directory away")
    try FileManager.default.setAttributes([.ownerAccountID: 65534], ofItemAtPath: fixture.root.string)
    try await fixture.repository.check()
    await #expect(throws: Unexpected.self) { try await fixture.git("rev-parse", "HEAD") }
  }
}
