import CProcCtl
import Glibc
import SeededRandom
import Synchronization
import SystemPackage
import SystemdNotify
import TemporaryFiles
import Testing

@Suite("The socket our children notify")
struct NotifySocketTests {
  @Test("Does not block, is not inherited, and is empty at first")
  func freshSocket() throws {
    let socket = try NotifySocket()
    #expect(socket.environmentValue.hasPrefix("@"))
    #expect(cprocctl_fcntl(socket.descriptor.rawValue, F_GETFD, 0) & FD_CLOEXEC != 0)
    #expect(cprocctl_fcntl(socket.descriptor.rawValue, F_GETFL, 0) & O_NONBLOCK != 0)
    #expect(try socket.receive().isEmpty)
  }

  @Test("Everything the protocol knows is read")
  func parsing() throws {
    let socket = try NotifySocket()
    let message = """
      READY=1
      no assignment
      lower=case
      STATUS=serving = well €
      STOPPING=1
      RELOADING=1
      MAINPID=812
      WATCHDOG=1
      WATCHDOG_USEC=2500000
      EXTEND_TIMEOUT_USEC=1500000
      ERRNO=13
      X_EMPTY=

      STATUS=last
      """
    try transport(to: socket).send(Array(message.utf8), descriptors: [])
    let notification = try #require(try receive(1, from: socket).first)
    #expect(notification.isReady && notification.isStopping && notification.isReloading)
    #expect(notification.isWatchdogPing && !notification.isWatchdogTrigger && !notification.isBarrier)
    #expect(notification.status == "last")
    #expect(notification.mainProcess == 812)
    #expect(notification.watchdogTimeout == .milliseconds(2500))
    #expect(notification.extendedTimeout == .milliseconds(1500))
    #expect(notification.failure == .permissionDenied)
    #expect(notification["X_EMPTY"] == "")
    #expect(notification["lower"] == nil)
    #expect(notification.assignments.count == 11)
    #expect(notification.pid == getpid() && notification.uid == getuid() && notification.gid == getgid())
  }

  @Test("Numbers that are none count as absent")
  func nonsenseNumbers() throws {
    let assignments = Assignment.parse(
      Array("READY=yes\nMAINPID=-4\nWATCHDOG_USEC=99999999999999999999\nERRNO=x\nWATCHDOG=trigger".utf8))
    let notification = SystemdNotify.Notification(
      pid: 1, uid: 0, gid: 0, assignments: try #require(assignments))
    #expect(!notification.isReady && !notification.isWatchdogPing && notification.isWatchdogTrigger)
    #expect(notification.mainProcess == nil && notification.watchdogTimeout == nil)
    #expect(notification.failure == nil)
  }

  @Test("The kernel says which child spoke")
  func credentials() async throws {
    let socket = try NotifySocket()
    let address = socket.environmentValue
    await #expect(processExitsWith: .success) { [address = address as String] in
      let notifier = ServiceNotifier(
        transport: DatagramTransport(to: try NotifyAddress(environmentValue: address)))
      try notifier.ready(status: "\(getpid())")
    }
    let notification = try #require(try receive(1, from: socket).first)
    #expect(notification.status == "\(notification.pid)")
    #expect(notification.pid != getpid())
    #expect(notification.uid == getuid())
  }

  @Test(
    "systemd-notify, which waits for its barrier, is understood and let go",
    .enabled(if: access("/usr/bin/systemd-notify", X_OK) == 0))
  func referenceSender() throws {
    let socket = try NotifySocket()
    let words = ["systemd-notify", "--ready", "--status=as libsystemd does it"]
    let variables = ["NOTIFY_SOCKET=\(socket.environmentValue)"]
    var pid: pid_t = 0
    var arguments = words.map { strdup($0) } + [nil]
    var environment = variables.map { strdup($0) } + [nil]
    defer { for string in arguments + environment { free(string) } }
    try #require(posix_spawn(&pid, "/usr/bin/systemd-notify", nil, nil, &arguments, &environment) == 0)
    let ended = FileDescriptor(rawValue: cprocctl_pidfd_open(pid, 0))
    defer {
      try? ended.close()
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
    }
    let notifications = try receive(2, from: socket)
    #expect(notifications.first?.isReady == true)
    #expect(notifications.first?.status == "as libsystemd does it")
    #expect(notifications.last?.isBarrier == true)
    #expect(wait(for: POLLIN, on: ended))
  }

  @Test("A flood is taken in bounded portions, in order")
  func boundedDrain() throws {
    let socket = try NotifySocket()
    let notifier = ServiceNotifier(transport: try transport(to: socket))
    for number in 0..<8 { try notifier.status("\(number)") }
    #expect(try socket.receive(limit: 3).map(\.status) == ["0", "1", "2"])
    #expect(try socket.receive(limit: 0).isEmpty)
    #expect(wait(for: POLLIN, on: socket.descriptor, within: 0))
    #expect(try socket.receive().map(\.status) == ["3", "4", "5", "6", "7"])
    #expect(!wait(for: POLLIN, on: socket.descriptor, within: 0))
  }

  @Test("What cannot be a notification is refused, and costs no descriptor")
  func refusals() throws {
    let socket = try NotifySocket()
    let sender = try transport(to: socket)
    let garbage: [[UInt8]] = [
      [], [0], [0xFF, 0x3D, 0x31], Array("READY".utf8), Array("READY=1\0STATUS=x".utf8),
      Array("STATUS=".utf8) + [0xC3, 0x28], Array("STATUS=".utf8) + [UInt8](repeating: 0x61, count: 4090),
    ]
    for message in garbage {
      let (ours, other) = try makePair()
      defer { try? other.close() }
      try sender.send(message, descriptors: [ours])
      try ours.close()
      #expect(try socket.receive().isEmpty, "\(message.prefix(20))")
      #expect(wait(for: 0, on: other), "a descriptor of \(message.prefix(20)) is still open")
    }
    #expect(socket.refusedCount == UInt64(garbage.count))
    // Control: what is right gets through, with the NUL that careless senders add, up to the limit.
    try sender.send(Array("READY=1\0".utf8), descriptors: [])
    try sender.send(Array("STATUS=".utf8) + [UInt8](repeating: 0x61, count: 4089), descriptors: [])
    #expect(try receive(2, from: socket).first?.isReady == true)
    #expect(socket.refusedCount == UInt64(garbage.count))
  }

  @Test("Garbage of every kind", arguments: [1, 2, 3, 4] as [UInt64])
  func fuzz(seed: UInt64) throws {
    var numbers = SeededRandom(seed: seed)
    let socket = try NotifySocket()
    let sender = try transport(to: socket)
    let pieces = [
      "READY=1", "STATUS=", "\n", "=", "\0", "MAINPID=99999999999", "BARRIER=1", "\u{FEFF}",
      "WATCHDOG_USEC=-",
    ]
    var taken: UInt64 = 0
    for _ in 0..<2000 {
      var message: [UInt8] = []
      for _ in 0..<Int.random(in: 0...6, using: &numbers) {
        if Bool.random(using: &numbers) {
          message += (pieces.randomElement(using: &numbers) ?? "").utf8
        } else {
          let length = Int.random(in: 0...(Bool.random(using: &numbers) ? 12 : 2000), using: &numbers)
          message += (0..<length).map { _ in UInt8.random(in: 0...255, using: &numbers) }
        }
      }
      let (ours, other) = try makePair()
      defer { try? other.close() }
      let copies = Int.random(in: 0...3, using: &numbers) * Int.random(in: 0...80, using: &numbers)
      try sender.send(message, descriptors: [FileDescriptor](repeating: ours, count: copies))
      try ours.close()
      for notification in try socket.receive() {
        taken += 1
        #expect(!notification.assignments.isEmpty && notification.descriptorCount == copies)
        _ = (
          notification.mainProcess, notification.watchdogTimeout, notification.failure, notification.status
        )
      }
      #expect(wait(for: 0, on: other))
    }
    #expect(taken + socket.refusedCount == 2000)
    #expect(taken > 0 && socket.refusedCount > 0)
  }
}

@Suite("Where the socket is bound")
struct NotifySocketPlaceTests {
  @Test("A path is made, has its permissions, and is gone with the socket")
  func path() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("notify")
      do {
        let socket = try NotifySocket(path: path, permissions: [.ownerReadWrite])
        #expect(socket.environmentValue == path.string)
        var status = stat()
        #expect(lstat(path.string, &status) == 0 && status.st_mode & 0o777 == 0o600)
        try ServiceNotifier(transport: try transport(to: socket)).ready()
        #expect(try receive(1, from: socket).first?.isReady == true)
      }
      #expect(access(path.string, F_OK) != 0)
    }
  }

  @Test("A dead predecessor's file is replaced; the living are left alone")
  func stale() throws {
    // Where no other test can copy its descriptors: a child of one has them until its exec, and so the
    // dead would live.
    let outcome = Mutex(Result<Void, any Error>.success(()))
    let thread = TestThread {
      let result = Result { try inOwnDescriptorTable { try Self.replacesTheDead() } }
      outcome.withLock { $0 = result }
    }
    thread.join()
    try outcome.withLock { $0 }.get()
  }

  private static func replacesTheDead() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("notify")
      let dead = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.string.utf8)) }
      let bound = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(dead, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try #require(bound == 0)
      // Control: alive, it is not taken away.
      let alive = #expect(throws: NotificationError.self) { try NotifySocket(path: path) }
      #expect(alive?.code == .addressInUse)
      close(dead)
      let socket = try NotifySocket(path: path)
      let second = #expect(throws: NotificationError.self) { try NotifySocket(path: path) }
      #expect(second?.code == .addressInUse)
      try ServiceNotifier(transport: try transport(to: socket)).ready()
      #expect(try receive(1, from: socket).count == 1)
    }
  }

  @Test("A file that is no socket is not ours to remove")
  func regularFile() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("file")
      close(creat(path.string, 0o600))
      let error = #expect(throws: NotificationError.self) { try NotifySocket(path: path) }
      #expect(error?.code == .addressInUse)
      #expect(access(path.string, F_OK) == 0)
    }
  }

  @Test("A successor's file survives the predecessor's end")
  func successor() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("notify")
      var first: NotifySocket? = try NotifySocket(path: path)
      #expect(first != nil)
      unlink(path.string)
      let second = try NotifySocket(path: path)
      first = nil
      #expect(access(path.string, F_OK) == 0)
      withExtendedLifetime(second) {}
    }
  }

  @Test("An abstract name is taken once")
  func abstractName() throws {
    let name = "procctl-test-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let socket = try NotifySocket(abstractName: name)
    #expect(socket.environmentValue == "@" + name)
    let error = #expect(throws: NotificationError.self) { try NotifySocket(abstractName: name) }
    #expect(error?.code == .addressInUse)
    withExtendedLifetime(socket) {}
  }
}
