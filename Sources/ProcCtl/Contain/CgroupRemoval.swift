internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Removes cgroups whose processes have ended. A process leaves its cgroup a
/// little after its end can be seen, so a cgroup that is not empty yet is waited
/// for (cgroup.events, cgroups(7)).
///
/// Confined to the loop's thread.
package final class CgroupRemoval {
  private let loop: EventLoop
  private var waiting: [(cgroup: Cgroup, events: FileDescriptor?)] = []
  private var timer: TimerIdentifier?
  private var completion: (([Cgroup]) -> Void)?

  package init(loop: EventLoop) {
    self.loop = loop
  }

  /// - Parameters:
  ///   - cgroups: Children before their parents.
  ///   - completion: Called once, perhaps at once, with those that are still there.
  package func start(
    _ cgroups: [Cgroup], limit: Duration, completion: @escaping ([Cgroup]) -> Void
  ) {
    self.completion = completion
    self.waiting = cgroups.filter { !$0.remove() }.map { ($0, self.watch($0)) }
    if self.waiting.isEmpty { return self.finish() }
    self.timer = self.loop.schedule(at: self.loop.now.advanced(by: limit)) { [weak self] in self?.finish() }
    self.retry()
  }

  private func watch(_ cgroup: Cgroup) -> FileDescriptor? {
    let raw = cprocctl_open(
      cgroup.path.appending("cgroup.events").string, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
    guard raw >= 0 else { return nil }
    let descriptor = FileDescriptor(rawValue: raw)
    do throws(ProcessError) {
      try self.loop.watch(descriptor, for: .urgent) { [weak self] _ in
        // Until it is read, it goes on saying that it has changed.
        var buffer: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        _ = pread(raw, &buffer, MemoryLayout.size(ofValue: buffer), 0)
        self?.retry()
      }
      return descriptor
    } catch {
      close(raw)
      return nil
    }
  }

  private func retry() {
    self.waiting.removeAll { waiting in
      guard waiting.cgroup.remove() else { return false }
      self.unwatch(waiting.events)
      return true
    }
    if self.waiting.isEmpty { self.finish() }
  }

  private func unwatch(_ events: FileDescriptor?) {
    guard let events else { return }
    self.loop.unwatch(events)
    close(events.rawValue)
  }

  private func finish() {
    if let timer = self.timer { self.loop.cancel(timer) }
    let left = self.waiting
    self.waiting = []
    for (_, events) in left { self.unwatch(events) }
    let completion = self.completion
    self.completion = nil
    completion?(left.map(\.cgroup))
  }
}
