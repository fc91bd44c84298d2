internal import CProcCtl
internal import Glibc
package import SystemPackage

/// The kernel this process runs on.
package final class LinuxKernel: Kernel {
  package let selfIdentifier: ProcessIdentifier

  package init() {
    self.selfIdentifier = ProcessIdentifier(getpid())
  }

  package var now: MonotonicInstant { .now }

  private var mayTakePrecedence = true

  /// With CAP_SYS_NICE the thread is one of real time for as long as the body runs (sched(7)): among many that
  /// never pause, it would have to wait for all of them between its look and its signals.
  package func urgently(_ body: () -> Void) {
    guard self.mayTakePrecedence, cprocctl_is_without_precedence() == 1 else { return body() }
    self.mayTakePrecedence = cprocctl_take_precedence() == 0
    defer { if self.mayTakePrecedence { _ = cprocctl_give_precedence_back() } }
    body()
  }

  /// Makes sure that /proc shows this process and its children. Where it does not
  /// (not mounted, another pid namespace's, no descriptor left to open it with) a set
  /// of processes would look empty and not be.
  ///
  /// - Throws: `ProcessError` with code `.inspect`.
  package func verifyView() throws(ProcessError) {
    var target = [CChar](repeating: 0, count: 32)
    let length = readlink("/proc/self", &target, target.count - 1)
    guard length > 0 else {
      throw ProcessError(.inspect, doing: "read /proc/self", underlyingError: Errno(rawValue: errno))
    }
    guard Int32(decimal: target.prefix(length).map { UInt8(bitPattern: $0) }) == self.selfIdentifier.value
    else {
      throw ProcessError(.inspect, doing: "use /proc, which is another pid namespace's")
    }
    let list = "/proc/\(self.selfIdentifier)/task/\(self.selfIdentifier)/children"
    guard try self.read(list) != nil else {
      throw ProcessError(.inspect, doing: "read \(list)", underlyingError: .noSuchFileOrDirectory)
    }
    // A sandbox may refuse it; nobody's end would ever be noticed.
    errno = 0
    if self.wait(CPROCCTL_P_ALL, 0, WEXITED | WNOHANG | WNOWAIT) == nil, errno != 0, errno != ECHILD {
      throw ProcessError(.wait, doing: "wait for children", underlyingError: Errno(rawValue: errno))
    }
  }

  package func spawn(_ command: Command) throws(ProcessError) -> ProcessIdentity {
    let pid = try Spawner.spawn(command)
    // Unreaped, it has a /proc entry. It runs already, so if that cannot be read the
    // number alone must do: ours until we reap it.
    return ProcessIdentity(
      processIdentifier: pid, startTime: (try? self.status(of: pid))?.identity.startTime ?? 0)
  }

  /// The content of a file under /proc; nil if the process is gone.
  private func read(_ path: String, limit: Int = 1 << 24) throws(ProcessError) -> [UInt8]? {
    do throws(Errno) {
      return try ProcFile.read(path, limit: limit)
    } catch {
      throw ProcessError(.inspect, doing: "read \(path)", underlyingError: error)
    }
  }

  private func numericNames(in path: String) throws(ProcessError) -> [Int32] {
    do throws(Errno) {
      return try ProcDirectory.numericNames(in: path)
    } catch {
      throw ProcessError(.inspect, doing: "list \(path)", underlyingError: error)
    }
  }

  package func status(of process: ProcessIdentifier) throws(ProcessError) -> ProcessStatus? {
    try self.read("/proc/\(process)/stat", limit: 4096).flatMap { ProcessStatus(parsing: $0) }
  }

  private var knownToHide: Bool?

  /// Whether /proc hides processes of others from those who may not trace them (hidepid, proc(5)).
  ///
  /// - Throws: `ProcessError` with code `.inspect`.
  package func hidesProcesses() throws(ProcessError) -> Bool {
    if let known = self.knownToHide { return known }
    let mounts = try self.read("/proc/self/mountinfo") ?? []
    let hides = ProcMount.hidePid(mountinfo: String(decoding: mounts, as: UTF8.self)) != nil
    self.knownToHide = hides
    return hides
  }

  /// Whether somebody could not be looked at because /proc hides who it is.
  private func isHiding(_ error: ProcessError) throws(ProcessError) -> Bool {
    guard error.underlyingError?.meansForbidden == true else { return false }
    return try self.hidesProcesses()
  }

  package func status(
    of process: ProcessIdentifier, listedBelow parent: ProcessIdentifier
  ) throws(ProcessError) -> ProcessStatus? {
    do throws(ProcessError) {
      if let status = try self.status(of: process) { return status }
      guard try self.hidesProcesses() else { return nil }
    } catch {
      guard try self.isHiding(error) else { throw error }
    }
    guard self.exists(process) else { return nil }
    var state = ProcessStatus.State.unseen
    if parent == self.selfIdentifier {
      errno = 0
      let ended = self.peekExit(of: process)
      if ended == nil, errno == ECHILD { return nil }
      if ended != nil { state = .zombie }
    }
    return ProcessStatus(
      identity: ProcessIdentity(processIdentifier: process, startTime: 0), name: "?", state: state,
      parent: parent, processGroup: ProcessIdentifier(getpgid(process.value)),
      session: ProcessIdentifier(getsid(process.value)))
  }

  /// Whether anybody has the number, a zombie perhaps; /proc is not asked.
  package func exists(_ process: ProcessIdentifier) -> Bool {
    kill(process.value, 0) == 0 || errno == EPERM
  }

  package func children(of process: ProcessIdentifier) throws(ProcessError) -> [ProcessIdentifier] {
    // A child belongs to the thread that made it, and an orphan to the subreaper's
    // main thread or, if that has exited, to another one.
    var children = try self.children(of: process, thread: process.value)
    let threads = try self.numericNames(in: "/proc/\(process)/task")
    if threads.count > 1 {
      for thread in threads where thread != process.value {
        children += try self.children(of: process, thread: thread)
      }
    }
    return children
  }

  private func children(
    of process: ProcessIdentifier, thread: Int32
  ) throws(ProcessError) -> [ProcessIdentifier] {
    guard let content = try self.read("/proc/\(process)/task/\(thread)/children") else { return [] }
    return content.split(separator: UInt8(ascii: " ")).compactMap { word in
      Int32(decimal: word).map { ProcessIdentifier($0) }
    }
  }

  package func childrenByOrigin() throws(ProcessError) -> ChildrenByOrigin? {
    let process = self.selfIdentifier
    let adopter = try self.adoptingThread()
    var children = ChildrenByOrigin(adoptable: [], started: [])
    for thread in try self.numericNames(in: "/proc/\(process)/task") {
      let own = try self.children(of: process, thread: thread)
      if thread == adopter { children.adoptable += own } else { children.started += own }
    }
    // When that thread exits, what it had moves to another one.
    return try self.adoptingThread() == adopter ? children : nil
  }

  /// The kernel hands orphans, and the children of a thread that exits, to the
  /// oldest thread that has not exited: the main thread, while it lives. The
  /// directory lists threads in that order.
  private func adoptingThread() throws(ProcessError) -> Int32? {
    let process = self.selfIdentifier
    for thread in try self.numericNames(in: "/proc/\(process)/task") {
      let line = try self.read("/proc/\(process)/task/\(thread)/stat", limit: 4096)
      let state = line.flatMap { ProcessStatus(parsing: $0) }?.state
      if state != nil, state != .zombie, state != .dead { return thread }
    }
    return nil
  }

  package func allProcesses() throws(ProcessError) -> [ProcessStatus] {
    var found: [ProcessStatus] = []
    var listing = try ProcessListing()
    while let number = try listing.next() {
      do throws(ProcessError) {
        if let status = try self.status(of: ProcessIdentifier(number)) { found.append(status) }
      } catch {
        // Mounted with hidepid=1, /proc lists processes of others and shows no more of them (proc(5)).
        // Where it hides nobody, somebody who is there would be taken for gone.
        guard try self.isHiding(error) else { throw error }
      }
    }
    return found
  }

  package func cookie(of process: ProcessIdentifier) throws(ProcessError) -> ByteString? {
    do throws(ProcessError) {
      return try self.read("/proc/\(process)/environ", limit: 1 << 22).flatMap(
        attributionCookie(inEnvironment:))
    } catch {
      guard error.underlyingError?.meansForbidden == true else { throw error }
      return nil
    }
  }

  // MARK: Waiting

  package func peekExit(of child: ProcessIdentifier) -> TerminationStatus? {
    self.wait(CPROCCTL_P_PID, UInt32(child.value), WEXITED | WNOHANG | WNOWAIT)?.1
  }

  package func peekAnyExit() -> AnyChildExit {
    errno = 0
    if let (pid, status) = self.wait(CPROCCTL_P_ALL, 0, WEXITED | WNOHANG | WNOWAIT) {
      return .ended(pid, status)
    }
    return errno == ECHILD ? .noChildren : .allRunning
  }

  package func reap(_ child: ProcessIdentifier) -> TerminationStatus? {
    self.wait(CPROCCTL_P_PID, UInt32(child.value), WEXITED | WNOHANG)?.1
  }

  /// Reaps the child behind the pidfd if it has ended. If somebody else has
  /// reaped it, the kernel still knows how it ended (PIDFD_GET_INFO, Linux 6.15).
  package func reap(_ child: FileDescriptor) -> TerminationStatus? {
    if let (_, status) = self.wait(CPROCCTL_P_PIDFD, UInt32(child.rawValue), WEXITED | WNOHANG) {
      return status
    }
    var information = cprocctl_pidfd_info()
    information.mask = UInt64(CPROCCTL_PIDFD_INFO_EXIT)
    guard cprocctl_pidfd_get_info(child.rawValue, &information) == 0,
      information.mask & UInt64(CPROCCTL_PIDFD_INFO_EXIT) != 0
    else { return nil }
    return TerminationStatus(waitStatus: information.exit_code)
  }

  private func wait(
    _ kind: Int, _ identifier: UInt32, _ options: Int32
  ) -> (ProcessIdentifier, TerminationStatus)? {
    var information = siginfo_t()
    var result: Int32
    repeat {
      // __WALL: children made by clone(2) with another exit signal count too.
      result = cprocctl_waitid(Int32(kind), identifier, &information, options | Self.everyKindOfChild)
    } while result != 0 && errno == EINTR
    let pid = cprocctl_siginfo_pid(&information)
    guard result == 0, pid != 0 else { return nil }
    let status = TerminationStatus(
      code: cprocctl_siginfo_code(&information), status: cprocctl_siginfo_status(&information))
    return (ProcessIdentifier(pid), status)
  }

  /// __WALL of wait(2).
  private static let everyKindOfChild: Int32 = 0x4000_0000

  // MARK: Signals

  package func send(_ signal: Signal, to process: ProcessStatus) throws(ProcessError) -> SignalDelivery {
    let pid = process.processIdentifier
    // Our own child keeps its number until we reap it.
    if process.parent == self.selfIdentifier {
      return try self.delivery(of: kill(pid.value, signal.rawValue), signal, pid)
    }
    let descriptor = cprocctl_pidfd_open(pid.value, 0)
    guard descriptor >= 0 else {
      if errno == ESRCH || errno == EINVAL { return .gone }
      // Out of descriptors or no pidfd in this kernel: check, then send.
      guard try self.isStill(process) else { return .gone }
      return try self.delivery(of: kill(pid.value, signal.rawValue), signal, pid)
    }
    defer { close(descriptor) }
    guard try self.isStill(process) else { return .gone }
    return try self.delivery(
      of: cprocctl_pidfd_send_signal(descriptor, signal.rawValue, 0), signal, pid)
  }

  /// Whether the number is that process's, while a pidfd keeps it from being dealt out again.
  private func isStill(_ process: ProcessStatus) throws(ProcessError) -> Bool {
    let pid = process.processIdentifier
    if process.state == .unseen { return try self.children(of: process.parent).contains(pid) }
    return try self.status(of: pid)?.identity == process.identity
  }

  package func send(
    _ signal: Signal, toGroupOf child: ProcessIdentifier
  ) throws(ProcessError) -> SignalDelivery {
    try self.delivery(of: kill(-child.value, signal.rawValue), signal, child)
  }

  /// Sends KILL to every child, by number: unreaped, they keep theirs. Far quicker than a look at
  /// each, so processes that fork and exit without a pause have hardly gone on in between. The
  /// newest, who live, come last in the list and are first here; several times over, because some
  /// have got away. Whoever cannot be listed is left to the look that follows.
  package func killChildren() {
    for _ in 0..<4 {
      let children = (try? self.children(of: self.selfIdentifier)) ?? []
      for child in children.reversed() { kill(child.value, SIGKILL) }
    }
  }

  private func delivery(
    of result: Int32, _ signal: Signal, _ pid: ProcessIdentifier
  ) throws(ProcessError) -> SignalDelivery {
    if result == 0 { return .sent }
    let error = Errno(rawValue: errno)
    if error == .noSuchProcess { return .gone }
    throw ProcessError(
      .signal, doing: "send \(signal)", underlyingError: error, processIdentifier: pid)
  }
}
