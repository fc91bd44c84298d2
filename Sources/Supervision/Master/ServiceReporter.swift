internal import Logging
internal import ProcCtl
internal import SystemdNotify

/// Tells the service manager how we are: READY, STATUS, STOPPING, the watchdog.
/// What cannot be told is logged once and never stops anything.
final class ServiceReporter {
  private let notifier: ServiceNotifier
  private let loop: EventLoop
  private let logger: Logger
  private var hasFailed = false
  private var watchdog: Watchdog?

  init(notifier: ServiceNotifier, loop: EventLoop, logger: Logger) {
    self.notifier = notifier
    self.loop = loop
    self.logger = logger
  }

  func ready(status: String) {
    self.tell { () throws(NotificationError) in try self.notifier.ready(status: status) }
    self.ping()
  }

  func status(_ text: String, extendingBy time: Duration?) {
    self.tell { () throws(NotificationError) in
      try self.notifier.status(text)
      if let time { try self.notifier.extendTimeout(by: time) }
    }
  }

  func stopping(extendingBy time: Duration) {
    self.tell { () throws(NotificationError) in
      try self.notifier.stopping()
      try self.notifier.extendTimeout(by: time)
    }
  }

  /// Pings at half the asked interval from the loop itself: a loop that hangs is
  /// one that does not ping.
  func startWatchdog() {
    do throws(NotificationError) {
      self.watchdog = self.notifier.isActive ? try Watchdog.fromEnvironment() : nil
    } catch {
      self.logger.warning("no watchdog: \(error)")
    }
    if let watchdog = self.watchdog { self.schedulePing(watchdog) }
  }

  private func schedulePing(_ watchdog: Watchdog) {
    _ = self.loop.schedule(at: self.loop.now.advanced(by: watchdog.pingInterval)) { [unowned self] in
      self.ping()
      self.schedulePing(watchdog)
    }
  }

  /// Says that we are there, if systemd's watchdog wants to know.
  func ping() {
    guard self.watchdog != nil else { return }
    self.tell { () throws(NotificationError) in try self.notifier.watchdogPing() }
  }

  private func tell(_ body: () throws(NotificationError) -> Void) {
    guard self.notifier.isActive else { return }
    do throws(NotificationError) {
      try body()
    } catch {
      if !self.hasFailed { self.logger.warning("systemd could not be told: \(error)") }
      self.hasFailed = true
    }
  }
}
