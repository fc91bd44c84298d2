internal import CProcCtl
internal import CProcCtlChild
internal import Glibc
package import SystemPackage

/// One cgroup of ours (cgroups(7), version 2): made for one start of one
/// process, killed as a whole, and removed.
///
/// Never used twice: once cgroup.kill was written, later kernels kill at birth
/// what is put into it.
package final class Cgroup {
  package let path: FilePath
  private var procsDescriptor: FileDescriptor?
  private var removed = false

  /// Makes the cgroup as a child of ours. No controller is enabled, so the rule
  /// that inner cgroups hold no processes does not apply.
  package init(name: String, under parent: FilePath) throws(ProcessError) {
    self.path = parent.appending(FilePath.Component(name) ?? "procctl")
    guard mkdir(self.path.string, 0o755) == 0 else {
      throw ProcessError(.contain, doing: "make cgroup \(self.path)", underlyingError: Errno(rawValue: errno))
    }
    let descriptor = cprocctl_open(
      self.path.appending("cgroup.procs").string, O_WRONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      let error = Errno(rawValue: errno)
      rmdir(self.path.string)
      throw ProcessError(.contain, doing: "open \(self.path)/cgroup.procs", underlyingError: error)
    }
    self.procsDescriptor = FileDescriptor(rawValue: descriptor)
  }

  /// One that somebody else has made, to look into, to kill and to remove.
  ///
  /// Nil if there is no directory of that name in a cgroup v2 tree.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be told.
  package init?(existing path: FilePath) throws(ProcessError) {
    var directory = stat()
    guard lstat(path.string, &directory) == 0 else {
      let error = Errno(rawValue: errno)
      if error.meansGone || error == .notDirectory { return nil }
      throw ProcessError(.inspect, doing: "look at \(path)", underlyingError: error)
    }
    guard directory.st_mode & S_IFMT == S_IFDIR,
      cprocctl_file_system_type(path.string) == Cgroup.treeMagic
    else { return nil }
    self.path = path
  }

  /// CGROUP2_SUPER_MAGIC (statfs(2)).
  private static let treeMagic: Int = 0x6367_7270

  /// Whether a cgroup can be made, used and killed below this one; nil if so, otherwise why not.
  /// Blocks while a child moves into one and ends: that it could be made does not mean that.
  package static func obstacle(under parent: FilePath) -> ProcessError? {
    do throws(ProcessError) {
      let probe = try Cgroup(name: "procctl-probe-\(getpid())", under: parent)
      defer { probe.removeOnceEmpty() }
      try probe.letChildJoin()
      guard access(probe.path.appending("cgroup.kill").string, W_OK) == 0 else {
        return ProcessError(
          .contain, doing: "find cgroup.kill (Linux 5.14)", underlyingError: Errno(rawValue: errno))
      }
      return nil
    } catch {
      return error
    }
  }

  /// For ``ChildSetup/cgroupProcs``: the child writes itself into it.
  package var procs: FileDescriptor? { self.procsDescriptor }

  /// Everyone in it and in the cgroups below it; nobody if it is gone.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be read.
  package func members() throws(ProcessError) -> [ProcessIdentifier] {
    do throws(Errno) {
      return try self.members(of: self.path)
    } catch {
      throw ProcessError(.inspect, doing: "list \(self.path)", underlyingError: error)
    }
  }

  private func members(of directory: FilePath) throws(Errno) -> [ProcessIdentifier] {
    var found: [ProcessIdentifier] = []
    if let content = try ProcFile.read(directory.appending("cgroup.procs").string) {
      found = Cgroup.members(listedIn: content)
    }
    for child in try ProcDirectory.subdirectories(of: directory) { found += try self.members(of: child) }
    return found
  }

  /// The processes in the text of cgroup.procs. One in a pid namespace we do not see is shown as 0,
  /// which to kill(2) means ourselves and all our group: nobody can be named by it.
  package static func members(listedIn procs: [UInt8]) -> [ProcessIdentifier] {
    procs.split(separator: UInt8(ascii: "\n")).compactMap { line in
      Int32(decimal: line).flatMap { $0 > 0 ? ProcessIdentifier($0) : nil }
    }
  }

  /// Whether a living process is in it or below it, by the kernel's own account; false if it is gone.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be read.
  package var isPopulated: Bool {
    get throws(ProcessError) {
      let path = self.path.appending("cgroup.events").string
      do throws(Errno) {
        guard let events = try ProcFile.read(path, limit: 4096) else { return false }
        return String(decoding: events, as: UTF8.self).split(separator: "\n").contains("populated 1")
      } catch {
        throw ProcessError(.inspect, doing: "read \(path)", underlyingError: error)
      }
    }
  }

  /// Kills everybody in it and below it at one stroke, those being forked included.
  package func kill() throws(ProcessError) {
    do {
      try ProcFile.write("1", to: self.path.appending("cgroup.kill").string)
    } catch {
      throw ProcessError(.contain, doing: "write \(self.path)/cgroup.kill", underlyingError: error)
    }
  }

  /// Removes it and the empty cgroups below it; false while somebody is in it.
  @discardableResult
  package func remove() -> Bool {
    self.closeProcs()
    if !self.removed { self.removed = Cgroup.remove(self.path) }
    return self.removed
  }

  private func letChildJoin() throws(ProcessError) {
    guard let procs = self.procsDescriptor else { return }
    let result = procctl_try(PROCCTL_TRIAL_CGROUP, procs.rawValue)
    guard result.stage != Int32(PROCCTL_TRIAL_DONE.rawValue) else { return }
    throw ProcessError(
      .contain, doing: "move a child into \(self.path)", underlyingError: Errno(rawValue: result.error))
  }

  /// Its last process has ended; the kernel may take a moment to say so (cgroups(7), cgroup.events).
  private func removeOnceEmpty() {
    let events = cprocctl_open(self.path.appending("cgroup.events").string, O_RDONLY | O_CLOEXEC, 0)
    defer { if events >= 0 { Glibc.close(events) } }
    let deadline = MonotonicInstant.now.advanced(by: .seconds(1))
    while !self.remove(), events >= 0, MonotonicInstant.now < deadline {
      var buffer = [UInt8](repeating: 0, count: 256)
      _ = pread(events, &buffer, buffer.count, 0)
      var watch = pollfd(fd: events, events: Int16(POLLPRI), revents: 0)
      // Where that cannot be read, it is waited for a little at a time.
      let isPopulated = try? self.isPopulated
      if isPopulated != false { _ = poll(&watch, 1, isPopulated == nil ? 20 : 1000) }
    }
  }

  private static func remove(_ directory: FilePath) -> Bool {
    // Without the list, whether there were any shows in whether it can be removed.
    for child in (try? ProcDirectory.subdirectories(of: directory)) ?? [] where !Cgroup.remove(child) {
      return false
    }
    return Cgroup.removeDirectory(directory) == nil
  }

  /// Removes an empty cgroup with no others below it. Returns why it is left, if it is.
  package static func removeDirectory(_ directory: FilePath) -> Errno? {
    // Once more: somebody may have been on his way out.
    guard rmdir(directory.string) != 0, rmdir(directory.string) != 0, errno != ENOENT else { return nil }
    return Errno(rawValue: errno)
  }

  /// Lets go of what the child needed; thousands of workers must not hold thousands of descriptors.
  package func closeProcs() {
    if let descriptor = self.procsDescriptor { Glibc.close(descriptor.rawValue) }
    self.procsDescriptor = nil
  }

  deinit {
    self.closeProcs()
  }
}
