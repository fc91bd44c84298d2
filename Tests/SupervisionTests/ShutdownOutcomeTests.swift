import Supervision
import Testing

@Suite struct ShutdownOutcomeTests {
  /// What can have happened, from the mildest to the most severe, with its exit status.
  private static let severities: [(Int32, @Sendable (inout ShutdownOutcome) -> Void)] = [
    (1, { $0.clientsForced = true }), (2, { $0.signalled = ["a"] }), (3, { $0.killed = ["a"] }),
    (6, { $0.failedCleanups = ["flush"] }), (4, { $0.heldPorts = ["8081"] }),
    (5, { $0.survivors = ["pid 7"] }),
    (100, { $0.internalErrors = ["epoll_wait"] }),
  ]

  @Test func nothingIsZero() {
    #expect(ShutdownOutcome().exitStatus == 0)
    #expect(ShutdownOutcome().summary == "clean")
  }

  @Test func ofEachPairTheMoreSevereDecides() {
    for (index, (mild, makeMild)) in Self.severities.enumerated() {
      var alone = ShutdownOutcome()
      makeMild(&alone)
      #expect(alone.exitStatus == mild)
      for (severe, makeSevere) in Self.severities[(index + 1)...] {
        var both = alone
        makeSevere(&both)
        #expect(both.exitStatus == severe, "\(mild) and \(severe)")
      }
    }
  }
}
