import Glibc

/// What a process sees of itself: printed by `cat` of these files, so by the very process in question.
struct InsideView {
  static let files: [String] = [
    "/proc/self/status", "/proc/self/limits", "/proc/self/oom_score_adj", "/proc/self/stat",
  ]
  static let command: [Bytes] = [Bytes("/bin/cat")] + files.map { Bytes($0) }

  let text: String
  private let status: StatusText

  init(_ text: String) {
    self.text = text
    self.status = StatusText(text)
  }

  /// Whether the last of the files has been printed to its end.
  static func isComplete(_ text: String) -> Bool { text.hasSuffix("\n") && text.contains(" (cat) ") }

  subscript(name: String) -> String? { self.status[name] }

  /// Soft and hard, by the beginning of the line in /proc/self/limits.
  func limit(_ title: String) -> String? {
    guard let line = self.text.split(separator: "\n").first(where: { $0.hasPrefix("Max \(title) ") }) else {
      return nil
    }
    let fields = line.dropFirst("Max \(title) ".count).split(separator: " ")
    return fields.count < 2 ? nil : "\(fields[0]) \(fields[1])"
  }

  private var statFields: [Substring] {
    guard let line = self.text.split(separator: "\n").last, let close = line.lastIndex(of: ")") else {
      return []
    }
    return line[line.index(after: close)...].split(separator: " ")
  }

  /// Field 19 of /proc/self/stat (proc(5)).
  var nice: String? { self.statFields.count > 16 ? String(self.statFields[16]) : nil }

  /// The line before the last.
  var outOfMemoryScore: String? { self.text.split(separator: "\n").dropLast().last.map(String.init) }

  /// The five sets by their names in /proc/self/status.
  static let capabilitySets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]

  var capabilities: [String: UInt64] {
    var sets: [String: UInt64] = [:]
    for name in InsideView.capabilitySets {
      sets[name] = self.status[name].flatMap { UInt64($0, radix: 16) }
    }
    return sets
  }
}

/// The two ways to start a program with rights of its own.
enum Face: String, CaseIterable, Sendable {
  case spawn
  case run
}

extension TestSession {
  /// What a program sees that is started with these rights; both ways of writing them must say the same.
  ///
  /// - Parameter prelude: A program that becomes procctl, with its options.
  func view(
    by face: Face, options: [Bytes], lines: [String], prelude: [Bytes] = [],
    program: String = Programs.procctl, command: [Bytes] = InsideView.command
  ) async throws -> InsideView {
    let arguments: [Bytes]
    switch face {
    case .spawn: arguments = ["spawn"] + options + ["--"] + command
    case .run:
      let words = command.map { "\"\(String(decoding: $0.bytes, as: UTF8.self))\"" }.joined(separator: ", ")
      let text =
        (["[workers.inside]", "command = [\(words)]", "ready = \"none\"", "restart = \"never\""] + lines)
        .joined(separator: "\n") + "\n"
      arguments = ["run", Bytes(try self.write(text, to: "inside.toml"))]
    }
    let words = prelude + [Bytes(program)] + arguments
    let process = try self.start(
      Launch(String(decoding: words[0].bytes, as: UTF8.self), Array(words.dropFirst())))
    guard let output = process.output else { throw WaitError("no output") }
    if face == .run {
      // It has printed all before it ends, and the master notices that.
      try await process.errors?.expect("inside stopped")
      output.take()
      process.send(SIGTERM)
    }
    let result = try await process.end()
    guard InsideView.isComplete(output.text) else {
      throw WaitError("\(face.rawValue) ended with \(result.ending): \(result.errors)")
    }
    return InsideView(output.text)
  }

  /// What a program sees that is started by nobody in between.
  func ownView() async throws -> InsideView {
    InsideView(
      try await self.start(Launch("/bin/cat", InsideView.files.map { Bytes($0) })).end().outputText)
  }
}
