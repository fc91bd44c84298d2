import Glibc
import ProcCtl
import SystemPackage
import TemporaryFiles
import Testing

/// The search in PATH, with what only the exec can tell. Both ways to spawn: posix_spawn(3), and the child target.
@Suite struct ExecutableSearchTests {
  private static let ways = [false, true]

  /// A directory with a script of that interpreter, which everybody may execute.
  private func make(_ path: FilePath, in directory: FilePath, interpreter: String) throws {
    let place = directory.appending(path.components)
    try #require(mkdir(place.string, 0o755) == 0)
    let script = place.appending("tool")
    let file = try FileDescriptor.open(
      script, .writeOnly, options: [.create], permissions: FilePermissions(rawValue: 0o755))
    try file.closeAfter { _ = try file.writeAll("#!\(interpreter)\necho \(path)\n".utf8) }
  }

  private func remove(_ names: [String], in directory: FilePath) {
    for name in names {
      unlink(directory.appending(name).appending("tool").string)
      rmdir(directory.appending(name).string)
    }
  }

  /// What the tool says that is found in these directories one after another.
  private func run(_ names: [String], in directory: FilePath, withSetup: Bool) async throws -> String {
    let path = names.map { directory.appending($0).string }.joined(separator: ":")
    var command = Command(
      .name("tool"), environment: .inherit.setting("PATH", to: ByteString(path)), standardInput: .null)
    if withSetup { command.setup.umask = 0o022 }
    return String(decoding: try await capture(command).standardOutput, as: UTF8.self)
  }

  @Test(arguments: Self.ways)
  func itGoesOnWhereOneMayNotBeExecuted(withSetup: Bool) async throws {
    try await withTemporaryDirectory { directory in
      let names = ["denied", "missing", "good", "after"]
      defer { self.remove(names, in: directory) }
      try directory.appending("plain").withPlatformString { path in
        try #require(creat(path, 0o644) >= 0)
      }
      try self.make("denied", in: directory, interpreter: directory.appending("plain").string)
      try self.make("missing", in: directory, interpreter: "/nowhere/at/all")
      try self.make("good", in: directory, interpreter: "/bin/sh")
      try self.make("after", in: directory, interpreter: "/bin/sh")
      for path in [["denied", "good", "after"], ["missing", "none", "good"], ["good", "denied"]] {
        #expect(try await self.run(path, in: directory, withSetup: withSetup) == "good\n")
      }
    }
  }

  @Test(arguments: Self.ways)
  func whereNoneCanTheDenialIsTheError(withSetup: Bool) async throws {
    try await withTemporaryDirectory { directory in
      let names = ["denied", "missing", "second"]
      defer { self.remove(names, in: directory) }
      try directory.appending("plain").withPlatformString { path in
        try #require(creat(path, 0o644) >= 0)
      }
      for name in ["denied", "second"] {
        try self.make(FilePath(name), in: directory, interpreter: directory.appending("plain").string)
      }
      try self.make("missing", in: directory, interpreter: "/nowhere/at/all")
      let denied = await #expect(throws: ProcessError.self) {
        try await self.run(["missing", "denied", "second"], in: directory, withSetup: withSetup)
      }
      #expect(denied?.code == .commandNotExecutable && denied?.underlyingError == .permissionDenied)
      #expect(denied?.operation == "execute \(directory.appending("denied").appending("tool"))")
      let missing = await #expect(throws: ProcessError.self) {
        try await self.run(["missing", "none"], in: directory, withSetup: withSetup)
      }
      #expect(missing?.code == .commandNotFound)
      #expect(missing?.operation.contains("interpreter /nowhere/at/all is not there") == true)
    }
  }
}
