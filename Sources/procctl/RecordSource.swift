internal import Glibc
internal import ProcCtl
internal import Supervision
internal import SystemPackage

/// Where `report` and `why` look for what a master has left, found as `run` finds its configuration.
struct RecordSource {
  let configuration: MasterConfiguration?
  let name: LedgerName

  /// - Parameter file: As it was given; nil for procctl.toml in the current directory, else the embedded default.
  /// - Throws: `ConfigurationError` with everything that is wrong with it.
  init(_ file: String?) throws(ConfigurationError) {
    let file = file ?? (access("procctl.toml", F_OK) == 0 ? "procctl.toml" : nil)
    self.configuration = try file.map { file throws(ConfigurationError) in
      try MasterConfiguration.load(file: FilePath(file), environment: ProcessVariables.all)
    }
    self.name = LedgerName(of: self.configuration?.file)
  }

  var directories: [FilePath] { RecordDirectory.candidates(self.configuration) }
}

extension TextStyle {
  /// Coloured on a terminal, unless somebody does not want that (no-color.org).
  static func of(_ descriptor: Int32) -> TextStyle {
    func value(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
    let isWanted = value("NO_COLOR").isEmpty && value("TERM") != "dumb"
    return isWanted && isatty(descriptor) == 1 ? .coloured : .plain
  }
}
