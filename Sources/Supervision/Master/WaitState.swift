internal import ProcCtl

/// What keeps a process from ending, by its own look in /proc.
enum WaitState {
  /// `D nfs_wait`, `T`, `t, traced by pid 5 (gdb)`; nil for one that runs or sleeps as processes do.
  static func describe(_ process: ProcessIdentifier, kernel: any Kernel) -> String? {
    guard let status = try? kernel.status(of: process),
      [.uninterruptible, .stopped, .traced].contains(status.state)
    else { return nil }
    let survivor = Survivor(examining: status, refusal: nil)
    var text = "\(status.state)"
    // What a stopped process waits in says nothing.
    if status.state == .uninterruptible, let channel = survivor.waitChannel { text += " \(channel)" }
    if let hindrance = survivor.hindrance { text += ", \(hindrance)" }
    return text
  }
}
