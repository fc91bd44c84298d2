internal import SystemPackage

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
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be read.
  package static func current(kernel: any Kernel) throws(ProcessError) -> RecordedProcess {
    let pid = kernel.selfIdentifier
    let identity =
      try kernel.status(of: pid)?.identity ?? ProcessIdentity(processIdentifier: pid, startTime: 0)
    return RecordedProcess(identity: identity, boot: try self.currentBoot())
  }

  /// The process, if it is still that one and runs.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be read.
  package func living(kernel: any Kernel) throws(ProcessError) -> ProcessStatus? {
    guard !self.boot.isEmpty, self.boot == (try Self.currentBoot()) else { return nil }
    return try self.identity.living(kernel: kernel)
  }

  /// Differs after every boot, so that start times can be compared (random(4)).
  ///
  /// - Throws: `ProcessError` with code `.inspect` if it cannot be read.
  package static func currentBoot() throws(ProcessError) -> String {
    let path = "/proc/sys/kernel/random/boot_id"
    let text: [UInt8]
    do throws(Errno) {
      text = try ProcFile.read(path, limit: 64) ?? []
    } catch {
      throw ProcessError(.inspect, doing: "read \(path)", underlyingError: error)
    }
    return String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}

extension ProcessIdentity {
  /// The process, if it runs and its number has not been reused in this boot.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if that cannot be read.
  package func living(kernel: any Kernel) throws(ProcessError) -> ProcessStatus? {
    guard let status = try kernel.status(of: self.processIdentifier), status.identity == self, !status.isDead
    else { return nil }
    return status
  }
}
