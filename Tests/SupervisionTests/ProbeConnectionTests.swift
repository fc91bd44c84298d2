import Glibc
import ProcCtl
import Supervision
import SystemPackage
import Testing

@Suite("Connection attempts", .serialized)
struct ProbeConnectionTests {
  private func connect(
    to address: SocketAddress, within limit: Duration = .seconds(60)
  ) throws -> ConnectionAttempt.Outcome {
    try onLoop { loop, done in
      ConnectionAttempt(
        on: loop, to: address, deadline: .now.advanced(by: limit), completion: done
      ).start()
    }
  }

  @Test("connects to TCP on IPv4 and IPv6 and hands over the descriptor", arguments: [true, false])
  func connects(v4: Bool) throws {
    let server = try ProbeTestServer(on: v4 ? .loopbackV4 : .loopbackV6) { connection in
      connection.send("hello")
      connection.waitForEnd()
    }
    guard case .connected(let descriptor) = try self.connect(to: server.address) else {
      Issue.record("not connected")
      return
    }
    var greeting = [UInt8](repeating: 0, count: 5)
    #expect(fcntlFlags(descriptor) & O_NONBLOCK != 0)
    var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    #expect(poll(&entry, 1, 60_000) == 1)
    #expect(try greeting.withUnsafeMutableBytes { try descriptor.read(into: $0) } == 5)
    #expect(greeting == Array("hello".utf8))
    try descriptor.close()
    #expect(try openClients(of: server.port) == 0)
  }

  private func fcntlFlags(_ descriptor: FileDescriptor) -> Int32 {
    // /proc/self/fdinfo: flags in octal.
    guard let file = fopen("/proc/self/fdinfo/\(descriptor.rawValue)", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix("flags:"), let flags = Int32(text.split(whereSeparator: \.isWhitespace)[1], radix: 8)
      {
        return flags
      }
    }
    return 0
  }

  @Test("connects to a Unix socket, in the file system and abstract")
  func unix() throws {
    for path in ["/tmp/procctl-probe-test-\(getpid()).sock", "@procctl-probe-test-\(getpid())"] {
      let server = try ProbeTestServer(unixPath: path) { $0.waitForEnd() }
      guard case .connected(let descriptor) = try self.connect(to: server.address) else {
        Issue.record("not connected to \(path)")
        continue
      }
      try descriptor.close()
    }
  }

  @Test("is refused where nobody listens")
  func refused() throws {
    #expect(try self.connect(to: .tcp(.loopbackV4, port: unusedPort())) == .refused)
    #expect(try self.connect(to: .unix(path: "@procctl-nobody-\(getpid())")) == .refused)
  }

  @Test("fails with the kernel's reason")
  func fails() throws {
    #expect(try self.connect(to: .unix(path: "/nonexistent/socket")) == .failed(.noSuchFileOrDirectory))
    #expect(try self.connect(to: .unix(path: "")) == .failed(.invalidArgument))
  }

  @Test("times out at its deadline where nobody answers, and holds nothing after it")
  func timesOut() throws {
    // A full accept queue drops what comes after it: the connect hangs.
    let listener = try listeningSocket(at: .tcp(.loopbackV4, port: 0), backlog: 0)
    defer { close(listener) }
    let port = localPort(of: listener)
    guard case .connected(let first) = try self.connect(to: .tcp(.loopbackV4, port: port)) else {
      Issue.record("the queue had no room at all")
      return
    }
    defer { try? first.close() }
    let start = MonotonicInstant.now
    let outcome = try self.connect(to: .tcp(.loopbackV4, port: port), within: .milliseconds(150))
    let took = start.duration(to: .now)
    #expect(outcome == .timedOut)
    #expect(took >= .milliseconds(150))
    #expect(try openClients(of: port) == 1)
  }

  @Test("a deadline that has passed is a timeout even where a server waits")
  func passedDeadline() throws {
    let server = try ProbeTestServer { $0.waitForEnd() }
    #expect(try self.connect(to: server.address, within: .zero) == .timedOut)
    #expect(try openClients(of: server.port) == 0)
  }

  @Test("a full queue of a Unix socket is reported at once")
  func fullUnixQueue() throws {
    let address = SocketAddress.unix(path: "@procctl-full-\(getpid())")
    let listener = try listeningSocket(at: address, backlog: 0)
    defer { close(listener) }
    var held: [FileDescriptor] = []
    defer { for descriptor in held { try? descriptor.close() } }
    var last = ConnectionAttempt.Outcome.refused
    for _ in 0..<4 {
      last = try self.connect(to: address)
      guard case .connected(let descriptor) = last else { break }
      held.append(descriptor)
    }
    #expect(last == .failed(.resourceTemporarilyUnavailable))
  }

  @Test("cancelled: completes once, with that, and leaves no descriptor", arguments: [true, false])
  func cancel(beforeStart: Bool) throws {
    let server = try ProbeTestServer { $0.waitForEnd() }
    for _ in 0..<20 {
      let outcome: ConnectionAttempt.Outcome = try onLoop { loop, done in
        let attempt = ConnectionAttempt(
          on: loop, to: server.address, deadline: .now.advanced(by: .seconds(60)), completion: done)
        if beforeStart { attempt.cancel() }
        attempt.start()
        attempt.cancel()
        attempt.cancel()
      }
      #expect(outcome == .cancelled)
    }
    // A Unix socket connects within start(): the connection made is dropped.
    let unix = try ProbeTestServer(unixPath: "@procctl-cancel-\(getpid())") { $0.waitForEnd() }
    let outcome: ConnectionAttempt.Outcome = try onLoop { loop, done in
      let attempt = ConnectionAttempt(
        on: loop, to: unix.address, deadline: .now.advanced(by: .seconds(60)), completion: done)
      attempt.start()
      attempt.cancel()
    }
    #expect(outcome == .cancelled)
    #expect(try openClients(of: server.port) == 0)
  }

  @Test("knows a socket that is connected to itself")
  func selfConnection() throws {
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let descriptor = FileDescriptor(rawValue: number)
    defer { try? descriptor.close() }
    func call(
      _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, port: UInt16
    ) -> Int32 {
      (SocketAddress.tcp(.loopbackV4, port: port).kernelForm ?? []).withUnsafeBytes {
        function(number, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
      }
    }
    #expect(call(Glibc.bind, port: 0) == 0)
    #expect(!SocketEndpoints.isConnectedToItself(descriptor))
    #expect(call(Glibc.connect, port: localPort(of: number)) == 0)
    #expect(SocketEndpoints.isConnectedToItself(descriptor))

    let server = try ProbeTestServer { $0.waitForEnd() }
    guard case .connected(let other) = try self.connect(to: server.address) else {
      Issue.record("not connected")
      return
    }
    #expect(!SocketEndpoints.isConnectedToItself(other))
    try other.close()
  }

  @Test("does not take a connection to itself for an answer", .enabled(if: getuid() == 0))
  func refusesItself() async {
    // A network of its own where the kernel can choose between two source ports
    // only: soon it chooses the one that is asked for.
    await #expect(processExitsWith: .success) {
      let port: UInt16 = 40_000
      try enterOwnNetwork(sourcePorts: "40000 40001")
      var itself = 0
      for _ in 0..<20 {
        // The control: a plain connect does succeed, now and then.
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let connected = (SocketAddress.tcp(.loopbackV4, port: port).kernelForm ?? []).withUnsafeBytes {
          Glibc.connect(
            descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        if connected == 0, SocketEndpoints.isConnectedToItself(FileDescriptor(rawValue: descriptor)) {
          itself += 1
          var option = linger(l_onoff: 1, l_linger: 0)
          setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
        close(descriptor)
      }
      #expect(itself > 0)
      for _ in 0..<20 {
        let outcome: ConnectionAttempt.Outcome = try onLoop { loop, done in
          ConnectionAttempt(
            on: loop, to: .tcp(.loopbackV4, port: port), deadline: .now.advanced(by: .seconds(60)),
            completion: done
          ).start()
        }
        #expect(outcome == .refused)
      }
      // Nothing of it keeps the port from the worker, not even a TIME_WAIT.
      #expect(try SocketTable.read(ports: [port]).isEmpty)
    }
  }
}

/// Moves the calling thread to a network namespace with nothing but a loopback
/// device (network_namespaces(7)), where outgoing connections get these source ports.
private func enterOwnNetwork(sourcePorts: String) throws {
  let newNetwork: Int32 = 0x4000_0000  // CLONE_NEWNET
  let unshare = try #require(dlsym(nil, "unshare"))
  let ioctl = try #require(dlsym(nil, "ioctl"))
  guard unsafeBitCast(unshare, to: (@convention(c) (Int32) -> Int32).self)(newNetwork) == 0 else {
    throw Errno(rawValue: errno)
  }
  let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
  defer { close(descriptor) }
  // struct ifreq: 16 bytes of name, then the flags; IFF_UP | IFF_RUNNING.
  var request = Array("lo".utf8) + [UInt8](repeating: 0, count: 38)
  request[16] = 0x41
  let setFlags: UInt = 0x8914  // SIOCSIFFLAGS
  let result = request.withUnsafeMutableBytes { buffer in
    unsafeBitCast(ioctl, to: (@convention(c) (Int32, UInt, UnsafeMutableRawPointer?) -> Int32).self)(
      descriptor, setFlags, buffer.baseAddress)
  }
  guard result == 0 else { throw Errno(rawValue: errno) }
  guard let file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "w") else { throw Errno(rawValue: errno) }
  fputs(sourcePorts, file)
  guard fclose(file) == 0 else { throw Errno(rawValue: errno) }
}
