internal import CProcCtl
internal import Glibc

/// A process that outlived everything that was done to end it, and what is known of why.
public struct Survivor: Sendable, Hashable, CustomStringConvertible {
  public var process: ProcessStatus
  /// The kernel function it waits in (/proc/PID/wchan), where that can be read.
  public var waitChannel: String?
  /// Why it could not be signalled, if it could not.
  public var refusal: String?

  public init(process: ProcessStatus, waitChannel: String? = nil, refusal: String? = nil) {
    self.process = process
    self.waitChannel = waitChannel
    self.refusal = refusal
  }

  /// Looks up what the process waits in.
  package init(examining process: ProcessStatus, refusal: String?) {
    let channel = (try? ProcFile.read("/proc/\(process.processIdentifier)/wchan", limit: 256))
      .map { String(decoding: $0, as: UTF8.self) }
    self.init(
      process: process, waitChannel: channel == "0" || channel == "" ? nil : channel, refusal: refusal)
  }

  /// `pid 812 (nginx), D nfs_wait`.
  public var description: String {
    var text = "pid \(self.process.processIdentifier) (\(self.process.name.printable)), \(self.process.state)"
    if let channel = self.waitChannel { text += " \(channel)" }
    if let refusal = self.refusal { text += ", \(refusal)" }
    return text
  }
}

extension ByteString {
  /// As text for a terminal or a log: control characters, which could rewrite
  /// what a person sees, are replaced.
  package var printable: String {
    String(
      String.UnicodeScalarView(
        self.description.unicodeScalars.map { scalar in
          scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) ? "?" : scalar
        }))
  }
}
