import Glibc
import SystemPackage
import SystemdNotify
import Testing

@Suite("Notifications over real sockets")
struct DatagramTransportTests {
  @Test("A full queue is an error at once, never a wait")
  func fullQueue() throws {
    let socket = try NotifySocket()
    let notifier = ServiceNotifier(transport: try transport(to: socket))
    var sent = 0
    var refusal: NotificationError?
    while refusal == nil, sent < 100_000 {
      do {
        try notifier.watchdogPing()
        sent += 1
      } catch {
        refusal = error
      }
    }
    #expect(refusal?.code == .queueFull)
    #expect(sent > 0)
    // Control: what was accepted is there, and with room again sending works.
    #expect(try receive(sent, from: socket).count == sent)
    try notifier.ready()
    #expect(try receive(1, from: socket).first?.isReady == true)
  }

  @Test("Nobody at the address is an error that names it")
  func nobody() throws {
    let address = try NotifyAddress(environmentValue: "/nonexistent/procctl/notify")
    let error = #expect(throws: NotificationError.self) {
      try ServiceNotifier(transport: DatagramTransport(to: address)).ready()
    }
    #expect(error?.code == .socket)
    #expect(error?.description.contains("/nonexistent/procctl/notify") == true)
  }

  @Test("A barrier holds until the receiver has read, and no longer")
  func barrier() throws {
    let socket = try NotifySocket()
    let notifier = ServiceNotifier(transport: try transport(to: socket))
    try notifier.ready()
    let barrier = try #require(try notifier.beginBarrier())
    defer { try? barrier.close() }
    // Control: unread, it holds.
    #expect(!wait(for: 0, on: barrier, within: 50))
    let notifications = try receive(2, from: socket)
    #expect(notifications.map(\.isBarrier) == [false, true])
    #expect(notifications.map(\.descriptorCount) == [0, 1])
    #expect(wait(for: 0, on: barrier))
  }

  @Test("A barrier nobody serves ends at its deadline")
  func barrierTimeout() throws {
    let socket = try NotifySocket()
    let notifier = ServiceNotifier(transport: try transport(to: socket))
    let clock = ContinuousClock()
    let started = clock.now
    let error = #expect(throws: NotificationError.self) { try notifier.barrier(timeout: .milliseconds(80)) }
    let elapsed = clock.now - started
    #expect(error?.code == .timedOut)
    #expect(elapsed >= .milliseconds(80) && elapsed < .seconds(5))
  }

  @Test("A served barrier returns")
  func servedBarrier() throws {
    let socket = try NotifySocket()
    let notifier = ServiceNotifier(transport: try transport(to: socket))
    let receiver = TestThread {
      #expect(throws: Never.self) {
        let notifications = try receive(1, from: socket)
        #expect(notifications.first?.isBarrier == true)
      }
    }
    defer { receiver.join() }
    try notifier.barrier(timeout: .seconds(10))
  }

  @Test("Storing leaves the sender's descriptors open and gives the receiver its own")
  func storedDescriptors() throws {
    let socket = try NotifySocket()
    let notifier = ServiceNotifier(transport: try transport(to: socket))
    let (ours, other) = try makePair()
    defer { try? other.close() }
    try notifier.storeDescriptors([ours, ours, ours], name: "listener-8081")
    #expect(fcntl(ours.rawValue, F_GETFD) >= 0)
    try ours.close()
    // Control: the copies in flight keep it open.
    #expect(!wait(for: 0, on: other, within: 20))
    let notification = try #require(try receive(1, from: socket).first)
    #expect(notification.descriptorCount == 3)
    #expect(notification["FDNAME"] == "listener-8081")
    // And the receiver has closed every one.
    #expect(wait(for: 0, on: other))
  }
}
