import Foundation
import Testing

/// The real program, which starts processes with Foundation, swift-subprocess and ProcCtl at once.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostProgramTests {
  @Test func everyLibraryGetsItsStatusesAndNoOrphanIsLeft() async throws {
    let run = try await self.run([])
    #expect(run.status == 0, "\(run.output)")
    #expect(run.output.contains("orphans: 96 adopted, 96 reaped"), "\(run.output)")
  }

  /// An instance that reaps all it sees leaves the children of another instance alone.
  @Test func instancesLeaveEachOtherTheirStatuses() async throws {
    let run = try await self.run(["--exclusive"])
    #expect(run.status == 0, "\(run.output)")
    #expect(run.output.contains("orphans: 32 adopted, 32 reaped"), "\(run.output)")
  }

  /// The negative control: with somebody else waiting for any child, the same checks fail.
  @Test func stolenStatusesAreNoticed() async throws {
    let run = try await self.run(["--steal"])
    #expect(run.status == 0, "\(run.output)")
    #expect(run.output.contains("the theft was noticed"), "\(run.output)")
  }

  private func run(_ arguments: [String]) async throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = try self.program()
    process.arguments = arguments
    // A crash is to be told at once: who looks for its cause takes long, and has our pipe meanwhile.
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    let (ends, end) = AsyncStream.makeStream(of: Int32.self)
    process.terminationHandler = {
      end.yield($0.terminationReason == .exit ? $0.terminationStatus : 128 + $0.terminationStatus)
      end.finish()
    }
    try process.run()
    defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
    for await status in ends {
      let text = try output.fileHandleForReading.readToEnd() ?? Data()
      return (status, String(decoding: text, as: UTF8.self))
    }
    throw CancellationError()
  }

  /// Beside the test bundle, where the package manager puts it.
  private func program() throws -> URL {
    let arguments = CommandLine.arguments
    let bundle = arguments.first { $0.hasSuffix(".xctest") } ?? arguments[0]
    let program = URL(fileURLWithPath: bundle).deletingLastPathComponent()
      .appendingPathComponent("host-program")
    try #require(
      FileManager.default.isExecutableFile(atPath: program.path), "not built: \(program.path)")
    return program
  }
}
