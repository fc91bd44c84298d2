internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// The directories workers get for one start each, below the master's runtime directory.
///
/// Each start has one of ours, which holds those of the worker; so the worker can put nothing else in
/// their place. It is locked for as long as the master lives (flock(2)): by that the next one tells what
/// a killed one has left. Confined to the loop's thread.
final class WorkerDirectories {
  private struct Place {
    var descriptor: Int32
    var name: String
  }

  private let mark: String
  private let scheduler: any Scheduler
  private var base: (path: FilePath, descriptor: Int32)?
  private var places: [String: Place] = [:]
  private var removals: [(worker: String, removal: TreeRemoval, lock: Int32)] = []
  private var isRemoving = false
  private(set) var failures: [WorkerLeftover] = []

  private static let slice = Duration.milliseconds(5)
  /// How long the end may have to wait for the last of them.
  static let longest = Duration.seconds(3)

  /// - Parameter configuration: What tells this master's directories from those of others.
  init(configuration: String, scheduler: any Scheduler) {
    self.mark = ".\(Checksum.text(configuration.utf8))."
    self.scheduler = scheduler
  }

  private func opened() throws(ProcessError) -> (path: FilePath, descriptor: Int32) {
    if let base = self.base { return base }
    let path = try RuntimeDirectory.subdirectory("workers")
    let descriptor = Glibc.open(path.string, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.error("open \(path)") }
    self.base = (path, descriptor)
    return (path, descriptor)
  }

  private static func error(_ doing: String) -> ProcessError {
    ProcessError(.runtimeDirectory, doing: doing, underlyingError: Errno(rawValue: errno))
  }

  /// Makes what the worker is to have, and returns the variables that say where it is.
  func make(for definition: WorkerDefinition, start: Int) throws(ProcessError) -> [(String, String)] {
    guard definition.hasRuntimeDirectory || definition.hasTemporaryDirectory else { return [] }
    // A start before that failed has left its own.
    _ = self.ended(definition)
    let credentials = try definition.credentials()
    let base = try self.opened()
    if credentials != nil {
      // Others may go through, and see nothing.
      for path in [base.path.removingLastComponent(), base.path] where chmod(path.string, 0o711) != 0 {
        throw Self.error("open the way through \(path)")
      }
    }
    let name = "\(definition.name)\(self.mark)\(getpid()).\(start)"
    guard mkdirat(base.descriptor, name, 0o711) == 0, fchmodat(base.descriptor, name, 0o711, 0) == 0 else {
      throw Self.error("make \(base.path)/\(name)")
    }
    let own = cprocctl_open_directory_beneath(base.descriptor, name)
    guard own >= 0 else { throw Self.error("open \(base.path)/\(name)") }
    _ = flock(own, LOCK_EX | LOCK_NB)
    self.places[definition.name] = Place(descriptor: own, name: name)
    var variables: [(String, String)] = []
    for (isWanted, inner, variable) in [
      (definition.hasRuntimeDirectory, "run", "RUNTIME_DIRECTORY"),
      (definition.hasTemporaryDirectory, "tmp", "TMPDIR"),
    ] where isWanted {
      guard mkdirat(own, inner, 0o700) == 0,
        credentials.map({ fchownat(own, inner, $0.user, $0.group, AT_SYMLINK_NOFOLLOW) == 0 }) ?? true
      else { throw Self.error("make \(base.path)/\(name)/\(inner)") }
      variables.append((variable, base.path.appending(name).appending(inner).string))
    }
    return variables
  }

  /// Where the worker's directories are; nil if it has none now.
  func path(of worker: String) -> FilePath? {
    guard let base = self.base, let place = self.places[worker] else { return nil }
    return base.path.appending(place.name)
  }

  /// Begins to remove them; true if there are any.
  @discardableResult
  func ended(_ definition: WorkerDefinition) -> Bool {
    guard let base = self.base, let place = self.places.removeValue(forKey: definition.name) else {
      return false
    }
    self.remove(place.name, of: definition.name, in: base, lock: place.descriptor)
    return true
  }

  private func remove(
    _ name: String, of worker: String, in base: (path: FilePath, descriptor: Int32), lock: Int32
  ) {
    let removal = TreeRemoval(
      base.path.appending(name), in: FileDescriptor(rawValue: base.descriptor), name: name)
    self.removals.append((worker, removal, lock))
    self.proceed(for: Self.slice)
  }

  private func proceed(for time: Duration) {
    let deadline = MonotonicInstant.now.advanced(by: time)
    while let next = self.removals.first {
      next.removal.proceed(until: deadline)
      guard next.removal.isDone else { break }
      self.removals.removeFirst()
      close(next.lock)
      if let failure = next.removal.failure {
        self.failures.append(
          WorkerLeftover(worker: next.worker, what: "\(next.removal.path)", failure: failure))
      }
    }
    guard !self.removals.isEmpty, !self.isRemoving else { return }
    self.isRemoving = true
    // Others are served in between.
    _ = self.scheduler.schedule(at: self.scheduler.now.advanced(by: .milliseconds(1))) { [weak self] in
      self?.isRemoving = false
      self?.proceed(for: Self.slice)
    }
  }

  /// Removes the rest, as far as there is time, and returns what is still there.
  func finish() -> [WorkerLeftover] {
    self.proceed(for: Self.longest)
    let unfinished = self.removals.map {
      WorkerLeftover(worker: $0.worker, what: "\($0.removal.path)", failure: "there was not enough time")
    }
    for (_, _, lock) in self.removals { close(lock) }
    self.removals = []
    return self.failures + unfinished
  }

  /// Removes what masters of the same configuration that are gone have left.
  func removeAbandoned() {
    guard let runtime = RuntimeDirectory.existing(),
      RuntimeDirectory.isTrusted(runtime.appending("workers")), let base = try? self.opened()
    else { return }
    for name in (try? TreeRemoval.names(of: base.descriptor)) ?? [] where name.contains(self.mark) {
      let descriptor = cprocctl_open_directory_beneath(base.descriptor, name)
      guard descriptor >= 0 else { continue }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        close(descriptor)
        continue
      }
      let worker = name.split(separator: ".").first.map(String.init) ?? name
      self.remove(name, of: worker, in: base, lock: descriptor)
    }
  }
}
