import Foundation
import ProcCtl
import RepositoryWorker
import SystemPackage

/// A small repository in a temporary directory, made with git's command line and removed at the end.
final class GitRepositoryFixture {
  let root: FilePath

  /// f.txt in two versions, a file in a directory, one that is not text, and links that lead outside.
  init() throws {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("repository-worker-\(UUID().uuidString)").resolvingSymlinksInPath()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    self.root = FilePath(directory.path)
    try self.git("init", "-q", "-b", "main")
    try self.write("f.txt", "one\ntwo\nthree\n")
    try self.write("sub dir/ü.txt", "needle in ümlaut\n")
    try self.write("binary", "a\0b")
    try FileManager.default.createSymbolicLink(atPath: self.path("link"), withDestinationPath: "/etc/passwd")
    try FileManager.default.createSymbolicLink(atPath: self.path("out"), withDestinationPath: "/etc")
    try self.git("add", "-A")
    try self.git("commit", "-q", "-m", "Begin")
    try self.write("f.txt", "one\nTWO needle\nthree\n")
    try self.git("commit", "-q", "-a", "-m", "Change the second line")
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
  func git(_ arguments: String...) throws -> String {
    let process = Foundation.Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["git", "-C", self.root.string] + arguments
    process.environment = [
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1",
      "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "Ann Author",
      "GIT_AUTHOR_EMAIL": "ann@example.org",
      "GIT_COMMITTER_NAME": "Ann Author", "GIT_COMMITTER_EMAIL": "ann@example.org",
      "GIT_AUTHOR_DATE": "2024-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z",
    ]
    let pipe = Foundation.Pipe()
    process.standardOutput = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Unexpected("git \(arguments): \(process.terminationStatus)")
    }
    return output.trimmingCharacters(in: CharacterSet.newlines)
  }

  func procCtlGit(timeLimit: Duration = .seconds(20)) -> ProcCtlGit {
    ProcCtlGit(
      repository: self.root, searchPath: ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
      timeLimit: timeLimit)
  }

  var repository: Repository { Repository(name: "fixture", git: self.procCtlGit()) }
}
