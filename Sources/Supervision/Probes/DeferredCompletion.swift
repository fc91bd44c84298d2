internal import ProcCtl

/// A completion that is called exactly once, and never from within the call that settles it: it gets a
/// turn of the loop of its own. Until then a cancellation overtakes what was settled; nothing else does.
///
/// Confined to the loop's thread.
final class DeferredCompletion<Outcome: Equatable> {
  private let loop: EventLoop
  private let cancelled: Outcome
  private var completion: ((Outcome) -> Void)?
  /// What was settled and is not delivered yet.
  private(set) var undelivered: Outcome?

  /// - Parameter cancelled: The outcome that overtakes others.
  init(on loop: EventLoop, cancelled: Outcome, _ completion: @escaping (Outcome) -> Void) {
    self.loop = loop
    self.cancelled = cancelled
    self.completion = completion
  }

  var isSettled: Bool { self.undelivered != nil || self.completion == nil }

  /// Settles the outcome, unless there is one.
  ///
  /// - Returns: The earlier outcome, if this one overtakes it: nobody else will see to what it holds.
  @discardableResult
  func settle(_ outcome: Outcome) -> Outcome? {
    guard self.completion != nil else { return nil }
    guard let earlier = self.undelivered else {
      self.undelivered = outcome
      self.loop.schedule(at: .now) { self.deliver() }
      return nil
    }
    guard outcome == self.cancelled else { return nil }
    self.undelivered = outcome
    return earlier
  }

  private func deliver() {
    guard let outcome = self.undelivered, let completion = self.completion else { return }
    self.undelivered = nil
    self.completion = nil
    completion(outcome)
  }
}
