import Foundation
import ProcCtl
import RepositoryWorker
import SystemPackage

/// A small repository in a temporary directory, made with git's command line and removed at the end.
final class GitRepositoryFixture {
  let root: FilePath

  /// f.txt in two versions, a file in a directory, one that is not text, and links that lead outside.
  private init(_ root: FilePath) { self.root = root }

  static func make() async throws -> GitRepositoryFixture {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("repository-worker-\(UUID().uuidString)").resolvingSymlinksInPath()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    let fixture = GitRepositoryFixture(FilePath(directory.path))
    try await fixture.git("init", "-q", "-b", "main")
    try fixture.write("f.txt", "one\ntwo\nthree\n")
    try fixture.write("sub dir/ü.txt", "needle in ümlaut\n")
    try fixture.write("binary", "a\0b")
    try FileManager.default.createSymbolicLink(
      atPath: fixture.path("link"), withDestinationPath: "/etc/passwd")
    try FileManager.default.createSymbolicLink(atPath: fixture.path("out"), withDestinationPath: "/etc")
    try await fixture.git("add", "-A")
    try await fixture.git("commit", "-q", "-m", "Begin")
    try fixture.write("f.txt", "one\nTWO needle\nthree\n")
    try await fixture.git("commit", "-q", "-a", "-m", "Change the second line")
    return fixture
  }

  deinit {
    try? FileManager.default.removeItem(atPath: self.root.string)
  }

  func path(_ name: String) -> String { self.root.appending(name).string }

  func write(_ name: String, _ text: String) throws {
    let path = self.path(name)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  @discardableResult
  func git(_ arguments: String...) async throws -> String {
    var environment = Environment.inherit
    for (name, value) in [
      ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_AUTHOR_NAME", "Ann Author"),
      ("GIT_AUTHOR_EMAIL", "ann@example.org"), ("GIT_COMMITTER_NAME", "Ann Author"),
      ("GIT_COMMITTER_EMAIL", "ann@example.org"), ("GIT_AUTHOR_DATE", "2024-01-02T03:04:05Z"),
      ("GIT_COMMITTER_DATE", "2024-01-02T03:04:05Z"),
    ] {
      environment = environment.setting(ByteString(name), to: ByteString(value))
    }
    let run = try await capture(
      Command(
        .name("git"), arguments: arguments.map { ByteString($0) }, environment: environment,
        directory: self.root, standardInput: .null))
    guard run.status.isSuccess else {
      throw Unexpected(
        "git \(arguments): \(run.status) \(String(decoding: run.standardError, as: UTF8.self))")
    }
    return String(decoding: run.standardOutput, as: UTF8.self).trimmingCharacters(in: CharacterSet.newlines)
  }

  func procCtlGit(timeLimit: Duration = .seconds(20)) -> ProcCtlGit {
    ProcCtlGit(
      repository: self.root, searchPath: ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
      timeLimit: timeLimit)
  }

  var repository: Repository { Repository(name: "fixture", git: self.procCtlGit()) }
}
