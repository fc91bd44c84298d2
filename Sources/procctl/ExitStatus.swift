internal import ProcCtl

/// Exit statuses: those of timeout(1) and env(1) for `spawn` and `kill-group`,
/// the master's own for `run`, and sysexits' for what cannot be begun at all.
enum ExitStatus {
  static let success: Int32 = 0
  /// kill-group: there is no such process.
  static let noSuchTarget: Int32 = 1
  static let usage: Int32 = 64
  static let configuration: Int32 = 78
  static let internalError: Int32 = 100
  static let timedOut: Int32 = 124
  /// procctl itself failed, or somebody survived.
  static let failed: Int32 = 125
  static let notExecutable: Int32 = 126
  static let notFound: Int32 = 127

  static func of(_ error: ProcessError) -> Int32 {
    switch error.code {
    case .commandNotFound: self.notFound
    case .commandNotExecutable: self.notExecutable
    default: self.failed
    }
  }

  static func of(_ report: GuardReport) -> Int32 {
    guard report.survivors.isEmpty, let status = report.status else { return self.failed }
    return report.timedOut ? self.timedOut : status.shellStatus
  }
}
