internal import ProcCtl
internal import Supervision

extension ControlClient {
  private struct Nothing: Codable {}
  private struct Answer: Codable { var master: MasterStatusSnapshot }

  /// Asks how the master is.
  ///
  /// - Throws: What ``ControlFailure`` has words for.
  func masterStatus(within limit: Duration) throws -> MasterStatusSnapshot {
    try self.send("Status", Nothing())
    return try self.reply(as: Answer.self, by: .now.advanced(by: limit)).value.master
  }
}
