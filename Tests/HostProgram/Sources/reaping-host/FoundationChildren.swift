import Foundation

/// Children of Foundation.Process.
enum FoundationChildren {
  static func run(exiting status: Int32) async -> Ledger.Answer {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "sleep 0.1; exit \(status)"]
    process.standardInput = FileHandle.nullDevice
    return await withCheckedContinuation { continuation in
      process.terminationHandler = { process in
        continuation.resume(
          returning: process.terminationReason == .exit
            ? .status(process.terminationStatus) : .trouble("signal \(process.terminationStatus)"))
      }
      do {
        try process.run()
      } catch {
        continuation.resume(returning: .trouble("\(error)"))
      }
    }
  }
}
