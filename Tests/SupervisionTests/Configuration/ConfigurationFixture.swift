import Glibc
import Supervision
import SystemPackage
import TemporaryFiles

/// Parses a text named procctl.toml as if it lay in /etc/procctl.
func parse(
  _ text: String, environment: [String: String] = [:],
  unavailable: [ConfigurationKey.Unavailable] = ConfigurationKey.unavailable
) throws(ConfigurationError) -> MasterConfiguration {
  try MasterConfiguration.parse(
    text: text, fileName: "procctl.toml", directory: "/etc/procctl", environment: environment,
    unavailable: unavailable)
}

/// What is said about a text that is refused, line by line; empty if it is accepted.
func complaints(
  about text: String, environment: [String: String] = [:],
  unavailable: [ConfigurationKey.Unavailable] = ConfigurationKey.unavailable
) -> [String] {
  do throws(ConfigurationError) {
    _ = try parse(text, environment: environment, unavailable: unavailable)
    return []
  } catch {
    return error.description.split(separator: "\n").map(String.init)
  }
}

/// A worker's table with these lines below `command`, so that the first of them is line 3.
func worker(_ lines: String) -> String {
  "[workers.alpha]\ncommand = [\"server\"]\n" + lines
}

/// Runs the body in a new directory with these files, which is removed afterwards.
func withDirectory<Value>(
  files: [String: String], _ body: (FilePath) throws -> Value
) throws -> Value {
  let directory = try TemporaryDirectory()
  for (name, text) in files { try directory.write(text, to: name) }
  return try body(directory.path)
}
