internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// Whether names and sockets can be kept. A directory made for the trial is removed.
enum RuntimeDirectoryTrial {
  static func finding() -> Finding {
    let location = RuntimeDirectory.location
    let existed = access(location.string, F_OK) == 0
    defer { if !existed { rmdir(location.string) } }
    do throws(ProcessError) {
      let path = try RuntimeDirectory.path()
      guard access(path.string, W_OK | X_OK) == 0 else {
        throw ProcessError(
          .runtimeDirectory, doing: "write \(path)", underlyingError: Errno(rawValue: errno))
      }
      return Finding(.directories, "runtime directory", .yes, "\(path)")
    } catch {
      return Finding(.directories, "runtime directory", .no, error.description)
    }
  }
}
