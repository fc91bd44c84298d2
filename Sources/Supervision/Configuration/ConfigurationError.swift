/// A configuration that cannot be used, with everything that is wrong with it.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One thing that is wrong, and where.
  public struct Problem: Sendable, Equatable, CustomStringConvertible {
    /// The file as it was named to us; nil if the problem is not in a file.
    public var file: String?
    /// The line, counted from 1; nil if the problem is not on one line.
    public var line: Int?
    /// What is wrong, in one line without a full stop.
    public var message: String

    /// Creates a problem.
    public init(file: String? = nil, line: Int? = nil, message: String) {
      self.file = file
      self.line = line
      self.message = message
    }

    /// `FILE:LINE: MESSAGE`, with what is known of it.
    public var description: String {
      switch (self.file, self.line) {
      case (let file?, let line?): "\(file):\(line): \(self.message)"
      case (let file?, nil): "\(file): \(self.message)"
      case (nil, _): self.message
      }
    }
  }

  /// All problems, file by file and in the order of their lines.
  public var problems: [Problem]

  /// Creates an error, with the problems put in order.
  public init(problems: [Problem]) {
    var files: [String?] = []
    for problem in problems where !files.contains(problem.file) { files.append(problem.file) }
    var sorted: [Problem] = []
    for file in files {
      let here = problems.filter { $0.file == file }.enumerated().sorted {
        ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset)
      }
      sorted.append(contentsOf: here.map(\.element))
    }
    self.problems = sorted
  }

  /// One problem per line.
  public var description: String {
    self.problems.map(\.description).joined(separator: "\n")
  }
}
