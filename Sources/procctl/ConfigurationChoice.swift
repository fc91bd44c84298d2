internal import CProcCtl
internal import Glibc
internal import Supervision
internal import SystemPackage

/// Which configuration a command line means.
struct ConfigurationChoice {
  /// The file that was named, or procctl.toml in the current directory; nil for neither.
  let file: FilePath?

  init(argument: String?) {
    self.file = argument.map { FilePath($0) } ?? (access("procctl.toml", F_OK) == 0 ? "procctl.toml" : nil)
  }
}

/// What a look at a configuration says of it: `run --check` and `check`.
enum ConfigurationSummary {
  static func write(_ configuration: MasterConfiguration) {
    let names = configuration.workers.map(\.name)
    Message.write(
      "\(names.count) \(names.count == 1 ? "worker" : "workers"): \(names.joined(separator: ", "))\n",
      to: 1)
    for obstacle in configuration.obstacles() {
      Message.write("warning: \(obstacle)\n")
    }
  }
}
