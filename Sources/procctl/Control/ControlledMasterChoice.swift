internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import Supervision
internal import SystemPackage

/// Which running master a command line means, and the way to it.
enum ControlledMasterChoice {
  /// Why there is none.
  enum Obstacle: Error {
    case none(String)
    case several([FilePath])
    case failed(ProcessError)

    var status: Int32 {
      switch self {
      case .none: ExitStatus.unavailable
      case .several: ExitStatus.usage
      case .failed(let error): ExitStatus.ofStart(error)
      }
    }

    var text: String {
      switch self {
      case .none(let what): what
      case .several(let paths):
        "several masters run; name a configuration, or a socket with --control:"
          + paths.map { "\n  \($0)" }.joined()
      case .failed(let error): "\(error)"
      }
    }
  }

  /// - Parameters:
  ///   - control: A socket, if it was named.
  ///   - configuration: The file that was named, or lies in the current directory. Where it names no socket,
  ///     or cannot be read any more, the default place is looked at.
  static func connect(
    control: String?, configuration: String?
  ) throws(Obstacle) -> ControlClient {
    if let control { return try self.connect(to: [FilePath(control)], of: control) }
    if let file = ConfigurationChoice(argument: configuration).file {
      let loaded = try? MasterConfiguration.load(file: file, environment: ProcessVariables.all)
      if let control = loaded?.control { return try self.connect(to: [control], of: file.string) }
      guard configuration == nil || access(file.string, F_OK) == 0 else {
        throw .none("\(file): \(Errno.noSuchFileOrDirectory)")
      }
      return try self.connect(
        to: ControlAddress.candidates(for: LedgerName.canonical(file)), of: file.string)
    }
    return try self.connect(to: ControlAddress.candidates(for: nil), of: nil)
  }

  private static func connect(to paths: [FilePath], of what: String?) throws(Obstacle) -> ControlClient {
    var clients: [ControlClient] = []
    var failure: ProcessError?
    for path in paths {
      do throws(ProcessError) {
        clients.append(try ControlClient(to: path))
      } catch {
        // Left by a master that was killed, or by none.
        if error.underlyingError != .connectionRefused, error.underlyingError != .noSuchFileOrDirectory {
          failure = failure ?? error
        }
      }
    }
    if clients.count > 1 { throw .several(clients.map(\.path)) }
    if let client = clients.first { return client }
    if let failure { throw .failed(failure) }
    throw .none(what.map { "no master of \($0) runs" } ?? "no master runs that we can find")
  }
}
