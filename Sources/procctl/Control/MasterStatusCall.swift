internal import ProcCtl
internal import Supervision

/// What a master is asked for its status, in two steps for who asks several.
extension ControlClient {
  private struct Nothing: Codable {}
  private struct Answer: Codable { var master: MasterStatusSnapshot }

  func askStatus() throws(ProcessError) { try self.send("Status", Nothing()) }

  func answeredStatus(by deadline: MonotonicInstant) throws(Failure) -> MasterStatusSnapshot {
    try self.reply(as: Answer.self, by: deadline).value.master
  }

  /// - Throws: What ``ControlFailure`` has words for.
  func status(within limit: Duration) throws -> MasterStatusSnapshot {
    try self.askStatus()
    return try self.answeredStatus(by: .now.advanced(by: limit))
  }
}
