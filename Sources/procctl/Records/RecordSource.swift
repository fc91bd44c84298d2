internal import Glibc
internal import ProcCtl
internal import Supervision
internal import SystemPackage

/// Where `report` and `why` look for what masters have left.
struct RecordSource {
  let configuration: MasterConfiguration?
  /// Of the configuration that was named, or lies in the current directory; nil for neither.
  private let name: LedgerName?

  /// - Parameter file: As it was given; nil for procctl.toml in the current directory, else for any.
  /// - Throws: `ConfigurationError` with everything that is wrong with it.
  init(_ file: String?) throws(ConfigurationError) {
    let file = ConfigurationChoice(argument: file).file
    self.configuration = try file.map { file throws(ConfigurationError) in
      try MasterConfiguration.load(file: file, environment: ProcessVariables.all)
    }
    self.name = self.configuration.map { LedgerName(of: $0.file) }
  }

  var directories: [FilePath] { RecordDirectory.candidates(self.configuration) }

  /// The configurations to look for, that with the youngest file first.
  func names(ending: String) -> [LedgerName] {
    self.name.map { [$0] } ?? RecordDirectory.names(in: self.directories, ending: ending)
  }

  /// What was asked for, in a sentence; nil for any configuration.
  var wanted: String? { self.name?.configuration }
}

extension TextStyle {
  /// Coloured on a terminal, unless somebody does not want that (no-color.org).
  static func of(_ descriptor: Int32) -> TextStyle {
    func value(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
    let isWanted = value("NO_COLOR").isEmpty && value("TERM") != "dumb"
    return isWanted && isatty(descriptor) == 1 ? .coloured : .plain
  }
}
