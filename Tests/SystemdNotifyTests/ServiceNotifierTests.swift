import Glibc
import SystemPackage
import SystemdNotify
import Testing

@Suite("What we tell the service manager")
struct ServiceNotifierTests {
  let transport = RecordingTransport()
  var notifier: ServiceNotifier {
    ServiceNotifier(transport: self.transport, monotonicMicroseconds: { 1_234_567 })
  }

  @Test("Each message in the words of the protocol")
  func messages() throws {
    try self.notifier.ready()
    try self.notifier.ready(status: "40 workers")
    try self.notifier.status("stopping 37/40, waiting for w3 (pid 812, D nfs_wait)")
    try self.notifier.stopping(status: "asked")
    try self.notifier.reloading()
    try self.notifier.extendTimeout(by: .milliseconds(1500))
    try self.notifier.watchdogPing()
    try self.notifier.mainProcess(812)
    try self.notifier.failure(.noSuchFileOrDirectory)
    try self.notifier.removeStoredDescriptors(name: "alpha")
    #expect(
      self.transport.messages == [
        "READY=1", "READY=1\nSTATUS=40 workers",
        "STATUS=stopping 37/40, waiting for w3 (pid 812, D nfs_wait)", "STOPPING=1\nSTATUS=asked",
        "RELOADING=1\nMONOTONIC_USEC=1234567", "EXTEND_TIMEOUT_USEC=1500000", "WATCHDOG=1", "MAINPID=812",
        "ERRNO=2", "FDSTOREREMOVE=1\nFDNAME=alpha",
      ])
  }

  @Test("A status cannot smuggle in an assignment")
  func statusIsOneLine() throws {
    try self.notifier.status("fine\nREADY=1\r\t\u{0}\u{1B}[2J\u{85}")
    #expect(self.transport.messages == ["STATUS=fine\\nREADY=1\\r\\t\\x00\\x1b[2J\\x85"])
  }

  @Test("A long status is cut between characters and still fits the receiver")
  func longStatus() throws {
    try self.notifier.status(String(repeating: "€", count: 5000))
    let message = try #require(self.transport.messages.first)
    #expect(message.hasSuffix("€…"))
    #expect(message.utf8.count < 1100)
  }

  @Test(
    "Values that would end the line, and names that are none, are refused",
    arguments: [
      ("STATUS", "a\nb"), ("STATUS", "a\0b"), ("", "x"), ("sTATUS", "x"), ("A=B", "x"), ("1A", "x"),
      ("A B", "x"), (String(repeating: "A", count: 65), "x"),
    ])
  func refusedAssignments(name: String, value: String) {
    let error = #expect(throws: NotificationError.self) { try Assignment(name, value) }
    #expect(error?.code == .invalidAssignment)
  }

  @Test("A message longer than the receiver's buffer is refused here, not lost there")
  func tooLong() throws {
    let fits = try Assignment("X_A", String(repeating: "a", count: 4092))
    try self.notifier.send([fits])
    let tooLong = try Assignment("X_A", String(repeating: "a", count: 4093))
    let error = #expect(throws: NotificationError.self) { try self.notifier.send([tooLong]) }
    #expect(error?.code == .invalidAssignment)
    #expect(self.transport.messages.count == 1)
  }

  @Test("Nonsense is refused by the call it was given to")
  func refusedCalls() {
    #expect(throws: NotificationError.self) { try self.notifier.extendTimeout(by: .zero) }
    #expect(throws: NotificationError.self) { try self.notifier.extendTimeout(by: .seconds(-3)) }
    #expect(throws: NotificationError.self) { try self.notifier.extendTimeout(by: .seconds(Int64.max)) }
    #expect(throws: NotificationError.self) { try self.notifier.mainProcess(0) }
    for name in ["", "a:b", "a b", "a\nREADY=1", String(repeating: "a", count: 256), "é"] {
      #expect(throws: NotificationError.self) { try self.notifier.storeDescriptors([], name: name) }
    }
    let many = [FileDescriptor](repeating: .standardInput, count: 254)
    #expect(throws: NotificationError.self) { try self.notifier.storeDescriptors(many, name: "many") }
    #expect(self.transport.messages.isEmpty)
  }

  @Test("Stored descriptors travel with their name")
  func storing() throws {
    try self.notifier.storeDescriptors([.standardInput, .standardError], name: "alpha")
    #expect(self.transport.messages == ["FDSTORE=1\nFDNAME=alpha"])
    #expect(self.transport.descriptorCounts == [2])
  }

  @Test("Without a service manager nothing happens, quietly")
  func inactive() throws {
    let notifier = ServiceNotifier.inactive
    #expect(!notifier.isActive)
    try notifier.ready(status: "x")
    try notifier.barrier(timeout: .zero)
    #expect(try notifier.beginBarrier() == nil)
  }

  @Test("NOTIFY_SOCKET is read once, and none is none")
  func environment() async {
    await #expect(processExitsWith: .success) {
      unsetenv("NOTIFY_SOCKET")
      #expect(try !ServiceNotifier().isActive)
      setenv("NOTIFY_SOCKET", "", 1)
      #expect(try !ServiceNotifier().isActive)

      let socket = try NotifySocket()
      setenv("NOTIFY_SOCKET", socket.environmentValue, 1)
      let notifier = try ServiceNotifier()
      #expect(notifier.isActive)
      unsetenv("NOTIFY_SOCKET")
      try notifier.ready()
      #expect(try receive(1, from: socket).first?.isReady == true)

      for unreachable in ["vsock:2:1234", "relative/path", "@", "/" + String(repeating: "a", count: 107)] {
        setenv("NOTIFY_SOCKET", unreachable, 1)
        let error = #expect(throws: NotificationError.self) { try ServiceNotifier() }
        #expect(error?.code == .unsupportedAddress)
      }
    }
  }
}
