import CProcCtl
import Glibc
import Synchronization
import Testing

/// Runs a test's body with a session of its own, and afterwards looks from
/// outside whether anything is left: a process, a zombie, a listener on one of
/// its ports, a file where the machine's own masters have theirs. Then it cleans up, whatever was found.
func withSession(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (TestSession) async throws -> Void
) async throws {
  let session = try TestSession()
  do {
    try await body(session)
  } catch {
    try? await session.sweep()
    session.removeDirectory()
    throw error
  }
  let residue = try await session.residue()
  #expect(residue.isEmpty, "left over", sourceLocation: sourceLocation)
  let traces = Traces.left(by: session.identifier)
  #expect(traces.isEmpty, "files outside of the session's directory", sourceLocation: sourceLocation)
  for path in traces { unlink(path) }
  let ports = session.listeningPorts()
  #expect(ports.isEmpty, "ports with a listener", sourceLocation: sourceLocation)
  try await session.sweep()
  session.removeDirectory()
}

/// Everything one test starts: marked by a variable of the environment, and
/// kept in a cgroup of its own where there can be one.
final class TestSession: @unchecked Sendable {
  let directory: String
  let cgroup: TestCgroup?
  let identifier: String
  private let cookie: String
  private var processes: [TestProcess] = []
  private var kept: [AnyObject] = []
  private var ports: Set<UInt16> = []
  /// No port twice: sessions that run at once would find each other's workers on it.
  private static let given = Mutex<Set<UInt16>>([])
  /// Sessions its processes were seen in: by these its zombies are known, who have no environment.
  private var sessions: Set<pid_t> = []

  fileprivate init() throws {
    let identifier = String(UInt64.random(in: .min ... .max), radix: 16)
    self.identifier = identifier
    self.cookie = "PROCCTL_TEST=\(identifier)"
    self.directory = "/tmp/procctl-test-\(identifier)"
    self.cgroup = TestCgroup(name: "procctl-test-\(identifier)")
    guard mkdir(self.directory, 0o755) == 0 else { throw WaitError("mkdir \(self.directory): \(errno)") }
    guard mkdir(self.path("state"), 0o755) == 0 else { throw WaitError("mkdir state: \(errno)") }
  }

  // MARK: Starting

  func start(_ launch: Launch) throws -> TestProcess {
    var launch = launch
    if let cgroup = self.cgroup { launch.prelude = ["join", Bytes(cgroup.path)] + launch.prelude }
    let process = try TestProcess(launch.start(environment: self.environment))
    self.processes.append(process)
    self.sessions.insert(process.pid)
    return process
  }

  /// `procctl ARGUMENTS...`
  func procctl(_ arguments: Bytes...) throws -> TestProcess { try self.procctl(arguments) }

  func procctl(_ arguments: [Bytes]) throws -> TestProcess {
    try self.start(Launch(Programs.procctl, arguments))
  }

  /// `test-workload ACTIONS...`, on its own.
  func workload(_ actions: [Bytes]) throws -> TestProcess {
    try self.start(Launch(Programs.workload, actions))
  }

  func announcements(_ name: String = "fifo") throws -> Announcements {
    try Announcements(path: self.path(name))
  }

  func path(_ name: String) -> String { "\(self.directory)/\(name)" }

  func write(_ text: String, to name: String) throws -> String {
    let path = self.path(name)
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw WaitError("open \(path): \(errno)") }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard bytes.withUnsafeBytes({ Glibc.write(descriptor, $0.baseAddress, $0.count) }) == bytes.count else {
      throw WaitError("write \(path): \(errno)")
    }
    return path
  }

  /// A port nobody has, by the kernel's choice; at the end nobody may listen on it.
  func freePort() throws -> UInt16 {
    for _ in 0..<10_000 {
      // Below those that outgoing connections are given (ip(7), ip_local_port_range): one of somebody
      // else's would have it when the worker wants it.
      let port = UInt16.random(in: 10_240..<32_768)
      guard (try? LoopbackSocket(port: port)) != nil, Self.given.withLock({ $0.insert(port).inserted })
      else { continue }
      self.ports.insert(port)
      return port
    }
    throw WaitError("no port is free")
  }

  private var environment: [Bytes] {
    var variables: [Bytes] = []
    guard var pointer = cprocctl_environment() else { return [] }
    while let entry = pointer.pointee {
      let text = Bytes(
        Array(UnsafeBufferPointer(start: entry, count: strlen(entry))).map { UInt8(bitPattern: $0) })
      pointer += 1
      let name = String(decoding: text.bytes.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
      if !Self.replaced.contains(name) { variables.append(text) }
    }
    // A state directory besides, for masters that may not trust the runtime directory of a test: as
    // root they would go on to /var/lib/procctl.
    return variables + [
      Bytes(self.cookie), "XDG_RUNTIME_DIR=\(self.directory)", "XDG_STATE_HOME=\(self.path("state"))",
      "LC_ALL=C",
    ]
  }

  private static let replaced: Set<String> = [
    "PROCCTL_TEST", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "STATE_DIRECTORY", "LOGS_DIRECTORY",
    "CACHE_DIRECTORY", "CONFIGURATION_DIRECTORY", "XDG_STATE_HOME", "NOTIFY_SOCKET", "WATCHDOG_USEC",
    "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LC_ALL", "LANG",
  ]

  /// Holds on to it until everything is cleaned up.
  func keep(_ object: AnyObject) { self.kept.append(object) }

  // MARK: Looking, from outside

  /// Everyone of this test who runs now.
  func members() -> [ObservedProcess] {
    var found = Set(self.cgroup?.members() ?? [])
    for process in ProcTable.all() where process.pid != getpid() && self.isMarked(process) {
      found.insert(process)
    }
    let living = found.filter { !$0.isZombie }
    self.sessions.formUnion(living.map(\.session))
    return living.sorted { $0.pid < $1.pid }
  }

  /// Zombies of this test, but for those that the test itself has to reap.
  func zombies() -> [ObservedProcess] {
    let own = Set(self.processes.map(\.pid))
    return ProcTable.all().filter { process in
      guard process.isZombie, !own.contains(process.pid) else { return false }
      if let cgroup = self.cgroup, let name = cgroup.path.split(separator: "/").last,
        (ProcTable.text("/proc/\(process.pid)/cgroup") ?? "").contains(name)
      {
        return true
      }
      return self.sessions.contains(process.session)
    }
  }

  /// What is left now. A zombie that has come to process 1 is for that to reap, and gets the time.
  func residue() async throws -> [ObservedProcess] {
    for process in self.processes { process.reap() }
    let members = self.members()
    let deadline = Deadline(in: .seconds(5))
    for zombie in self.zombies() {
      let pidfd = cprocctl_pidfd_open(zombie.pid, 0)
      guard pidfd >= 0 else { continue }
      defer { close(pidfd) }
      _ = try await blocking {
        // POLLHUP comes once it is reaped: since Linux 6.9, so look as well.
        while ProcTable.process(zombie.pid) == zombie, !deadline.hasPassed {
          var watch = pollfd(fd: pidfd, events: 0, revents: 0)
          _ = poll(&watch, 1, min(deadline.milliseconds, 100))
        }
      }
    }
    return members + self.zombies()
  }

  func listeningPorts() -> [UInt16] {
    let listeners = ProcTable.listeners()
    return self.ports.filter { listeners[$0] != nil }.sorted()
  }

  private func isMarked(_ process: ObservedProcess) -> Bool {
    ProcTable.environment(of: process.pid, holds: self.cookie)
  }

  // MARK: Cleaning

  /// Kills whoever is left and waits until they are gone.
  func sweep() async throws {
    let deadline = Deadline(in: .seconds(10))
    while true {
      // At one stroke: some fork faster than they can be looked at. It spares a process whose
      // main thread has ended.
      self.cgroup?.kill()
      let members = self.members()
      if members.isEmpty { break }
      guard !deadline.hasPassed else { throw WaitError("cannot be cleaned up: \(members)") }
      for member in members { try await self.kill(member, by: deadline) }
    }
    for process in self.processes { process.reap() }
    if let cgroup = self.cgroup { try await blocking { try cgroup.remove(by: deadline) } }
  }

  /// Never by number alone: the pidfd is held, and then it must still be the
  /// process that was seen.
  private func kill(_ process: ObservedProcess, by deadline: Deadline) async throws {
    let pidfd = cprocctl_pidfd_open(process.pid, 0)
    guard pidfd >= 0 else { return }
    defer { close(pidfd) }
    guard let now = ProcTable.process(process.pid), now.startTime == process.startTime,
      self.isMarked(process) || self.cgroup?.members().contains(where: { $0.pid == process.pid }) ?? false
    else { return }
    _ = cprocctl_pidfd_send_signal(pidfd, SIGKILL, 0)
    _ = try await readable([pidfd], by: deadline)
  }

  fileprivate func removeDirectory() {
    self.remove(self.directory)
  }

  private func remove(_ path: String) {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
          String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard name != ".", name != ".." else { continue }
        let inside = "\(path)/\(name)"
        if unlink(inside) != 0 { self.remove(inside) }
      }
      closedir(directory)
    }
    rmdir(path)
  }
}
