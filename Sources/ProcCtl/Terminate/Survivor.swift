internal import CProcCtl
internal import Glibc

/// A process that outlived everything that was done to end it, and what is known of why.
public struct Survivor: Sendable, Hashable, CustomStringConvertible {
  /// Who it is, and its state when it was last looked at.
  public var process: ProcessStatus
  /// The kernel function it waits in (/proc/PID/wchan), where that can be read.
  public var waitChannel: String?
  /// Why it could not be signalled, if it could not.
  public var refusal: String?
  /// Who or what keeps it, where that is known: a tracer (ptrace(2)) that has not collected its
  /// end, or a freezer of version 1 (cgroups(7)), in which KILL waits for the thaw.
  public var hindrance: String?

  /// Creates a survivor from known values; nothing is looked up.
  public init(
    process: ProcessStatus, waitChannel: String? = nil, refusal: String? = nil, hindrance: String? = nil
  ) {
    self.process = process
    self.waitChannel = waitChannel
    self.refusal = refusal
    self.hindrance = hindrance
  }

  /// Looks up what the process waits in, and for whom.
  package init(examining process: ProcessStatus, refusal: String?) {
    let channel = (try? ProcFile.read("/proc/\(process.processIdentifier)/wchan", limit: 256))
      .map { String(decoding: $0, as: UTF8.self) }
    var hindrance = Survivor.hindrance(of: process.processIdentifier, waitingIn: channel)
    if process.state == .unseen { hindrance = "hidden by the way /proc is mounted (hidepid)" }
    if hindrance == nil, process.isDead { hindrance = Survivor.neglect(of: process) }
    self.init(
      process: process, waitChannel: channel == "0" || channel == "" ? nil : channel, refusal: refusal,
      hindrance: hindrance)
  }

  /// A zombie is its parent's to wait for, and as long as that lives, nobody else's.
  private static func neglect(of zombie: ProcessStatus) -> String? {
    let parent = zombie.parent
    guard parent.value > 0, let line = (try? ProcFile.read("/proc/\(parent)/stat", limit: 4096)) ?? nil,
      let status = ProcessStatus(parsing: line)
    else { return nil }
    return "child of pid \(parent) (\(status.name.printable)), which lives and does not wait for it"
  }

  private static func hindrance(of process: ProcessIdentifier, waitingIn channel: String?) -> String? {
    // All of it is said by the way: where it cannot be read, it is not said.
    func read(_ path: String, limit: Int) -> [UInt8] {
      ((try? ProcFile.read(path, limit: limit)) ?? nil) ?? []
    }
    let text = read("/proc/\(process)/status", limit: 1 << 16)
    if let tracer = Survivor.tracer(inStatus: text) {
      let name = read("/proc/\(tracer)/comm", limit: 64)
      return "traced by pid \(tracer) (\(ByteString(bytes: name.prefix { $0 != 0x0a }).printable))"
    }
    guard let channel, channel.contains("refrigerator") else { return nil }
    let groups = read("/proc/\(process)/cgroup", limit: 1 << 16)
    return "frozen" + (Survivor.freezer(inGroups: groups).map { " in cgroup \($0)" } ?? "")
  }

  /// The tracer that /proc/PID/status names; nil for none.
  package static func tracer(inStatus text: [UInt8]) -> ProcessIdentifier? {
    let name = Array("TracerPid:\t".utf8)
    let line = text.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: name) }
    let tracer = line.flatMap { Int32(decimal: $0.dropFirst(name.count)) } ?? 0
    return tracer == 0 ? nil : ProcessIdentifier(tracer)
  }

  /// The version 1 freezer's cgroup that /proc/PID/cgroup names; nil if it names none.
  package static func freezer(inGroups text: [UInt8]) -> String? {
    for line in text.split(separator: UInt8(ascii: "\n")) {
      // "6:freezer:/path"; controllers that are mounted together are joined by commas.
      let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3,
        parts[1].split(separator: UInt8(ascii: ",")).contains(where: { $0.elementsEqual("freezer".utf8) })
      else { continue }
      return ByteString(bytes: parts[2]).printable
    }
    return nil
  }

  /// `pid 812 (nginx), D nfs_wait`.
  public var description: String {
    var text = "pid \(self.process.processIdentifier) (\(self.process.name.printable)), \(self.process.state)"
    if let channel = self.waitChannel { text += " \(channel)" }
    if let hindrance = self.hindrance { text += ", \(hindrance)" }
    if let refusal = self.refusal { text += ", \(refusal)" }
    return text
  }
}
