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
    case several([RunningMaster], argument: String)
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
      case .several(let masters, let argument): RunningMaster.choice(among: masters, argument: argument)
      case .failed(let error): "\(error)"
      }
    }
  }

  /// - Parameters:
  ///   - control: A socket, if it was named.
  ///   - configuration: The file that was named, or lies in the current directory. Where it names no socket,
  ///     or cannot be read any more, the default place is looked at.
  ///   - argument: How the command line is given a configuration, in words.
  static func connect(
    control: String?, configuration: String?, argument: String
  ) throws(Obstacle) -> ControlClient {
    let (paths, what) = try self.paths(control: control, configuration: configuration)
    return try self.connect(to: paths, of: what, isSocket: control != nil, argument: argument)
  }

  /// Where to look, and what was asked for, in a word; nil for any master.
  private static func paths(
    control: String?, configuration: String?
  ) throws(Obstacle) -> (paths: [FilePath], of: String?) {
    if let control { return ([FilePath(control)], control) }
    if let file = ConfigurationChoice(argument: configuration).file {
      let loaded = try? MasterConfiguration.load(file: file, environment: ProcessVariables.all)
      if let control = loaded?.control { return ([control], file.string) }
      guard configuration == nil || access(file.string, F_OK) == 0 else {
        throw .none("\(file): \(Errno.noSuchFileOrDirectory)")
      }
      return (ControlAddress.candidates(for: LedgerName.canonical(file)), file.string)
    }
    return (ControlAddress.candidates(for: nil), nil)
  }

  private static func connect(
    to paths: [FilePath], of what: String?, isSocket: Bool, argument: String
  ) throws(Obstacle) -> ControlClient {
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
    if clients.count > 1 { throw .several(RunningMaster.asked(clients), argument: argument) }
    if let client = clients.first { return client }
    if let failure { throw .failed(failure) }
    guard let what else { throw .none("no master runs that we can find") }
    throw .none(isSocket ? "no master listens on \(what)" : "no master of \(what) runs")
  }
}
