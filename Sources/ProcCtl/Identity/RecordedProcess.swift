/// A process as a file remembers it: believed only while number, start time and
/// boot all fit.
package struct RecordedProcess: Hashable, Sendable {
  package var identity: ProcessIdentity
  /// ``currentBoot()`` when it was written down.
  package var boot: String

  package init(identity: ProcessIdentity, boot: String) {
    self.identity = identity
    self.boot = boot
  }

  /// This very process; without /proc its start time is 0, which fits nobody.
  package static func current(kernel: any Kernel) -> RecordedProcess {
    let pid = kernel.selfIdentifier
    let identity =
      kernel.status(of: pid)?.identity ?? ProcessIdentity(processIdentifier: pid, startTime: 0)
    return RecordedProcess(identity: identity, boot: self.currentBoot())
  }

  /// The process, if it is still that one and runs.
  package func living(kernel: any Kernel) -> ProcessStatus? {
    guard !self.boot.isEmpty, self.boot == Self.currentBoot() else { return nil }
    return self.identity.living(kernel: kernel)
  }

  /// Differs after every boot, so that start times can be compared (random(4)).
  package static func currentBoot() -> String {
    let text = ProcFile.read("/proc/sys/kernel/random/boot_id", limit: 64) ?? []
    return String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}

extension ProcessIdentity {
  /// The process, if it runs and its number has not been reused in this boot.
  package func living(kernel: any Kernel) -> ProcessStatus? {
    guard let status = kernel.status(of: self.processIdentifier), status.identity == self, !status.isDead
    else { return nil }
    return status
  }
}
