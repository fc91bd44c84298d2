internal import ProcCtl

/// The requests of one connection, taken up one at a time: the next when the other side has taken the answer to
/// the one before, and one per turn of the loop. Whoever sends a thousand at once waits, and nobody else does.
///
/// Confined to the loop's thread.
final class RequestTurns<Request> {
  /// Closed it forgets its handlers and so us. Until then each keeps the other: in the middle of an answer it
  /// may be closed, and everybody else lets go of it.
  private let connection: StreamConnection
  private let loop: EventLoop
  private var requests: [Request] = []
  private var isScheduled = false
  private var isClosed = false
  /// The other side says nothing more, but may still want to hear.
  private(set) var hasEnded = false
  /// Nothing is taken up meanwhile; who sets it to false calls ``goOn()``.
  var isHeld = false
  var isEmpty: Bool { self.requests.isEmpty }
  /// Answers a request, or begins to.
  var answer: ((Request) -> Void)?
  /// A request is taken up.
  var whenUsed: (() -> Void)?

  /// Sees to the connection's end and to what it has sent. What it receives, and that it is closed, its
  /// owner has to tell.
  init(_ connection: StreamConnection, on loop: EventLoop) {
    self.connection = connection
    self.loop = loop
    connection.whenEnded = { self.ended() }
    connection.whenSent = { self.goOn() }
  }

  func received(_ requests: [Request]) {
    self.requests += requests
    self.goOn()
  }

  private func ended() {
    self.hasEnded = true
    self.connection.isReading = false
    self.goOn()
  }

  func closed() { self.isClosed = true }

  /// Takes up the next request, never from within what is going on; without one it reads on.
  func goOn() {
    guard !self.isClosed, self.connection.isOpen, self.connection.backlog == 0, !self.isScheduled,
      !self.isHeld
    else { return }
    guard !self.requests.isEmpty else {
      if self.hasEnded { self.connection.finish() } else { self.connection.isReading = true }
      return
    }
    self.connection.isReading = false
    self.isScheduled = true
    self.loop.schedule(at: self.loop.now) { self.takeUpNext() }
  }

  private func takeUpNext() {
    self.isScheduled = false
    guard !self.isClosed, self.connection.isOpen, !self.requests.isEmpty else { return }
    let request = self.requests.removeFirst()
    self.whenUsed?()
    self.answer?(request)
    self.goOn()
  }
}
