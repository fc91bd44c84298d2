internal import CProcCtl
internal import Glibc
public import SystemPackage

/// Reads the text of a configuration file.
enum ConfigurationFile {
  /// More than any configuration needs, and little enough to be read from a device by mistake.
  static let largestSize = 16 << 20

  /// The text of the file.
  ///
  /// - Throws: `ConfigurationError` with the file's name, and with the line if the text is not UTF-8.
  static func text(of path: FilePath) throws(ConfigurationError) -> String {
    func failure(_ line: Int?, _ message: String) -> ConfigurationError {
      ConfigurationError(problems: [.init(file: path.string, line: line, message: message)])
    }
    var bytes: [UInt8] = []
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
      defer { try? file.close() }
      var chunk = [UInt8](repeating: 0, count: 64 << 10)
      while bytes.count <= self.largestSize {
        let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
        if count == 0 { break }
        bytes += chunk[..<count]
      }
    } catch let error as Errno {
      throw failure(nil, "\(error)")
    } catch {
      throw failure(nil, "\(error)")
    }
    guard bytes.count <= self.largestSize else {
      throw failure(nil, "is larger than \(self.largestSize >> 20) MiB")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }
      throw failure(bad.map { $0 + 1 }, "is not UTF-8")
    }
    return text
  }

  /// The directory relative paths in this file start from, absolute, because the master changes its own.
  static func directory(of path: FilePath) -> FilePath {
    let directory = path.removingLastComponent()
    guard directory.isRelative, let current = getcwd(nil, 0) else { return directory }
    defer { free(current) }
    return FilePath(platformString: current).pushing(directory)
  }
}

extension MasterConfiguration {
  /// Reads a configuration file.
  ///
  /// - Parameters:
  ///   - file: a TOML file; relative paths in it start from its directory.
  ///   - environment: the variables that override the timeouts of the shutdown (see `ShutdownVariable`).
  /// - Throws: `ConfigurationError` with everything that is wrong: in this file, in the variables, and
  ///   in the list of repositories it names.
  public static func load(
    file: FilePath, environment: [String: String]
  ) throws(ConfigurationError) -> MasterConfiguration {
    var configuration = try self.parse(
      text: ConfigurationFile.text(of: file), fileName: file.string,
      directory: ConfigurationFile.directory(of: file), environment: environment)
    configuration.file = LedgerName.canonical(file)
    return configuration
  }

  /// Reads a configuration from its text.
  ///
  /// - Parameters:
  ///   - text: the TOML.
  ///   - fileName: how messages name it.
  ///   - directory: where relative paths start, absolute.
  ///   - environment: the variables that override the timeouts of the shutdown (see `ShutdownVariable`).
  /// - Throws: `ConfigurationError` with everything that is wrong.
  public static func parse(
    text: String, fileName: String, directory: FilePath, environment: [String: String]
  ) throws(ConfigurationError) -> MasterConfiguration {
    try self.parse(
      text: text, fileName: fileName, directory: directory, environment: environment,
      unavailable: ConfigurationKey.unavailable)
  }

  /// The same, with another list of what this version refuses.
  package static func parse(
    text: String, fileName: String, directory: FilePath, environment: [String: String],
    unavailable: [ConfigurationKey.Unavailable]
  ) throws(ConfigurationError) -> MasterConfiguration {
    let document = try TOMLDocument(text: text, fileName: fileName)
    var reader = ConfigurationReader(
      fileName: fileName, directory: directory, environment: environment, unavailable: unavailable)
    let configuration = reader.masterConfiguration(document.root)
    guard reader.problems.isEmpty else { throw ConfigurationError(problems: reader.problems) }
    return configuration
  }
}
