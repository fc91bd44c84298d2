internal import ProcCtl

/// Asks a worker again and again whether it serves, until it does.
///
/// No kernel event tells that a socket has begun to listen, so this looks at
/// intervals that grow from 5 ms to 250 ms.
final class ReadinessWatch: ReadinessSearch {
  private static let attemptTimeout = Duration.seconds(5)

  private let loop: EventLoop
  private let port: UInt16
  private let path: String?
  private let members: () -> [ProcessIdentifier]
  private let whenReady: () -> Void
  private var pause = Duration.milliseconds(5)
  private var attempt: ProbeAttempt?
  private var timer: TimerIdentifier?
  private var isOver = false
  /// What the last look has found to be missing.
  private var obstacle: ReadinessObstacle?

  /// - Parameter path: What to GET; nil to connect only.
  init(
    loop: EventLoop, port: UInt16, path: String?, members: @escaping () -> [ProcessIdentifier],
    whenReady: @escaping () -> Void
  ) {
    self.loop = loop
    self.port = port
    self.path = path
    self.members = members
    self.whenReady = whenReady
  }

  func start() {
    self.schedule()
  }

  func cancel() {
    self.isOver = true
    self.attempt?.cancel()
    if let timer = self.timer { self.loop.cancel(timer) }
  }

  func missing(closely: Bool) -> String? {
    guard let obstacle = self.obstacle else { return nil }
    let text = obstacle.text(port: self.port, path: self.path)
    guard closely, obstacle == .nobodyListens else { return text }
    let elsewhere = OwnListener.addresses(of: Set(self.members()))
    if elsewhere.isEmpty { return text }
    return "\(text), but on " + elsewhere.map(\.description).joined(separator: ", ")
  }

  private func schedule() {
    guard !self.isOver else { return }
    self.timer = self.loop.schedule(at: self.loop.now.advanced(by: self.pause)) { [weak self] in self?.ask() }
    self.pause = min(self.pause * 2, .milliseconds(250))
  }

  /// Asks the address the worker's own socket listens on. Nobody is asked while
  /// somebody else answers there.
  private func ask() {
    self.timer = nil
    let address: InternetAddress
    switch OwnListener.find(port: self.port, members: Set(self.members())) {
    case .own(let found): address = found
    case .stranger(let holder):
      self.obstacle = .strangerListens(holder)
      return self.schedule()
    case .nobody:
      self.obstacle = .nobodyListens
      return self.schedule()
    }
    if self.obstacle?.isAnAnswer != true { self.obstacle = .unanswered }
    let target = SocketAddress.tcp(address, port: self.port)
    let probe = self.path.map { Probe.http(target, path: $0) } ?? .tcp(target)
    self.attempt = probe.attempt(
      on: self.loop, deadline: self.loop.now.advanced(by: ReadinessWatch.attemptTimeout)
    ) { [weak self] outcome in
      guard let self, !self.isOver else { return }
      self.attempt = nil
      if case .notReady(let reason) = outcome {
        self.obstacle = .refused(reason)
        return self.schedule()
      }
      self.isOver = true
      self.whenReady()
    }
  }
}
