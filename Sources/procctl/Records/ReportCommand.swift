internal import ArgumentParser
internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import Supervision
internal import SystemPackage

struct ReportCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Shows how the last shutdown of a master went.",
    discussion: """
      A table of its phases and workers, a line of JSON with all there is, or a picture with a lane \
      for each worker. The master that was shut down is that of CONFIG, or of procctl.toml in the \
      current directory, or, without either, the one that was shut down last.

      Exit status: 0; 1 if no shutdown is recorded; 64 usage; 69 the record cannot be read, or the \
      output not written; 77 no permission; 78 configuration.
      """)

  @Argument(
    help: ArgumentHelp("The configuration of the master.", valueName: "config"),
    completion: .file(extensions: ["toml"]), transform: OptionText.name)
  var configuration: String?

  @Flag(help: "Write the whole record, as one line of JSON.")
  var json = false

  @Flag(help: "Draw a timeline, as SVG.")
  var svg = false

  @Option(
    help: ArgumentHelp("Write to this file instead of standard output.", valueName: "file"),
    completion: .file(), transform: OptionText.name)
  var output: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Show the one that many shutdowns before the last: 1 to 3.", valueName: "number"))
  var back = 0

  func validate() throws {
    guard !(self.json && self.svg) else { throw ValidationError("--json and --svg exclude each other") }
    guard (0...RecordFile.kept).contains(self.back) else {
      throw ValidationError("--back must be 0 to \(RecordFile.kept), not \(self.back)")
    }
  }

  func execute(command: [ByteString]?) -> Int32 {
    do {
      let source = try RecordSource(self.configuration)
      let name = source.names(ending: RecordFile.ending).first
      let record = try name.flatMap {
        try RecordFile.newest(in: source.directories, name: $0, back: self.back)
      }
      guard let record else {
        let which = self.back == 0 ? "no shutdown" : "no shutdown \(self.back) before the last"
        let whose = (source.wanted ?? name?.configuration).map { " of \($0)" } ?? ""
        Message.error("report: \(which)\(whose) is recorded")
        return ExitStatus.noSuchTarget
      }
      try self.write(self.text(of: record))
      return ExitStatus.success
    } catch let error as ConfigurationError {
      Message.error(error)
      return ExitStatus.configuration
    } catch let error as ProcessError {
      Message.error("report: \(error)")
      return ExitStatus.ofStart(error)
    } catch {
      Message.error("report: \(error)")
      return ExitStatus.internalError
    }
  }

  private func text(of record: ShutdownRecord) -> String {
    if self.svg { return Timeline(record).svg }
    if self.json { return String(decoding: RecordFile.encoded(record), as: UTF8.self) + "\n" }
    return ShutdownTable.text(of: record, style: self.output == nil ? .of(1) : .plain)
  }

  private func write(_ text: String) throws(ProcessError) {
    guard let output = self.output else { return Message.write(text, to: 1) }
    let descriptor = cprocctl_open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    var rest = Array(text.utf8)[...]
    var failure = descriptor < 0 ? Errno(rawValue: errno) : nil
    defer { if descriptor >= 0 { close(descriptor) } }
    while failure == nil, !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count <= 0 { failure = count < 0 ? Errno(rawValue: errno) : .noSpace }
      rest = rest.dropFirst(max(count, 0))
    }
    if let failure {
      throw ProcessError(.runtimeDirectory, doing: "write \(output)", underlyingError: failure)
    }
  }
}
