internal import ProcCtl
internal import SystemPackage

/// Exit statuses: those of timeout(1) and env(1) for `spawn` and `kill-group`,
/// the master's own for `run`, and sysexits' for what cannot be begun at all.
enum ExitStatus {
  static let success: Int32 = 0
  /// kill-group: there is no such process.
  static let noSuchTarget: Int32 = 1
  /// status, start, restart: a worker is not ready; stop: one is not stopped.
  static let notReady: Int32 = 1
  /// check: a stop can take longer than systemd waits.
  static let doesNotFit: Int32 = 1
  static let usage: Int32 = 64
  /// Something the master needs is not there (sysexits' EX_UNAVAILABLE).
  static let unavailable: Int32 = 69
  /// The master is being stopped (EX_TEMPFAIL).
  static let temporaryFailure: Int32 = 75
  /// The master may not do what the configuration asks for (EX_NOPERM).
  static let noPermission: Int32 = 77
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

  /// Of a master that could not begin.
  static func ofStart(_ error: ProcessError) -> Int32 {
    switch error.underlyingError {
    case .permissionDenied?, .notPermitted?: self.noPermission
    default: error.code == .eventLoop ? self.internalError : self.unavailable
    }
  }

  static func of(_ report: GuardReport) -> Int32 {
    guard report.survivors.isEmpty, report.isProven, let status = report.status else { return self.failed }
    return report.timedOut ? self.timedOut : status.shellStatus
  }
}
