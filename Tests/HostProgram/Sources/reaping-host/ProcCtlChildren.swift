import CHost
import Glibc
import ProcCtl

/// Children of ProcCtl, which also makes this program the subreaper and reaps the orphans.
struct ProcCtlChildren: Sendable {
  private let children: ChildProcesses?

  /// - Parameter reaps: Otherwise orphans are adopted and left as they are.
  init(reaps: Bool) async {
    if !reaps { _ = chost_become_subreaper() }
    do {
      self.children = try ChildProcesses(
        reaping: reaps ? .cooperative(grace: .milliseconds(500)) : .trackedOnly)
    } catch {
      print("ProcCtl: \(error)")
      self.children = nil
    }
  }

  func run(exiting status: Int32) async -> Ledger.Answer {
    guard let children = self.children else { return .trouble("no reaper") }
    do {
      let child = try await children.spawn(
        Command(.path("/bin/sh"), arguments: ["-c", ByteString("sleep 0.1; exit \(status)")]))
      let end = await child.wait()
      return switch end.status {
      case .exited(let code): .status(code)
      case .signaled(let signal, _): .trouble("\(signal)")
      case nil: .trouble("no status")
      }
    } catch {
      return .trouble("\(error)")
    }
  }
}
