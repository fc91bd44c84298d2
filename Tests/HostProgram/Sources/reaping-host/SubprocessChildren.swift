import Subprocess

/// Children of swift-subprocess.
enum SubprocessChildren {
  static func run(exiting status: Int32) async -> Ledger.Answer {
    do {
      let result = try await Subprocess.run(
        .path("/bin/sh"), arguments: ["-c", "sleep 0.1; exit \(status)"], output: .discarded)
      return switch result.terminationStatus {
      case .exited(let code): .status(code)
      default: .trouble("\(result.terminationStatus)")
      }
    } catch {
      return .trouble("\(error)")
    }
  }
}
