internal import ArgumentParser
internal import CProcCtl
internal import ProcCtl
internal import Supervision

struct WhyCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract: "Explains why a worker was restarted or stopped, or why it does not run.",
    discussion: """
      Reads the history that masters of the configuration keep, whether one runs or not; without \
      --config or procctl.toml in the current directory, that of the master with such a worker.

      Exit status: 0; 1 if there is no such worker or nothing is recorded of it; 64 usage, or \
      several masters have such a worker; 69 the history cannot be read; 77 no permission; 78 \
      configuration.
      """)

  @Argument(help: "The worker's name.", transform: OptionText.name)
  var worker: String

  @Option(
    help: ArgumentHelp(
      "The configuration of the master.", valueName: "file"), completion: .file(extensions: ["toml"]),
    transform: OptionText.name)
  var config: String?

  @Flag(help: "Write one line of JSON.")
  var json = false

  private struct Answer: Encodable {
    var worker: String
    var port: UInt16?
    var master_runs: Bool
    var sentences: [String]
    var events: [WorkerEvent]
  }

  func execute(command: [ByteString]?) -> Int32 {
    do {
      let source = try RecordSource(self.config)
      let searched = try HistorySearch(source, worker: self.worker)
      guard let found = searched.found else { return self.notOne(searched, source) }
      let (history, masterLives) = (found.history, found.masterLives)
      let now = Microseconds(cprocctl_wall_clock_nanoseconds() / 1000)
      let story = WorkerStory(of: self.worker, in: history, masterLives: masterLives, now: now)
      let sentences = story.sentences
      if self.json {
        JSONLine.write(
          Answer(
            worker: self.worker, port: story.port, master_runs: masterLives, sentences: sentences,
            events: history.events(of: self.worker)), to: 1)
      } else {
        let earlier = story.earlier.map { "  " + $0 }
        let lines = sentences + (earlier.isEmpty ? [] : ["", "Before that:"] + earlier)
        let printable = lines.map { PrintableText.escaping($0.utf8, limit: 4096) + "\n" }
        Message.write(printable.joined(), to: 1)
      }
      return ExitStatus.success
    } catch let error as ConfigurationError {
      Message.error(error)
      return ExitStatus.configuration
    } catch let error as ProcessError {
      Message.error("why: \(error)")
      return ExitStatus.ofStart(error)
    } catch {
      Message.error("why: \(error)")
      return ExitStatus.internalError
    }
  }

  private func notOne(_ searched: HistorySearch, _ source: RecordSource) -> Int32 {
    let name = PrintableText.escaping(self.worker.utf8)
    if !searched.several.isEmpty {
      let list = searched.several.map { "\n  \(PrintableText.escaping($0.utf8, limit: 4096))" }.joined()
      Message.error(
        "why: several masters have a worker \"\(name)\"; name a configuration with --config:\(list)")
      return ExitStatus.usage
    }
    let configured = source.configuration?.workers.map(\.name) ?? []
    if configured.contains(self.worker) {
      Message.error("why: nothing is recorded of worker \"\(name)\"")
    } else {
      let nearest = Spelling.nearest(to: self.worker, among: configured + searched.workers)
      let guess = nearest.map { ", did you mean \"\($0)\"?" } ?? ""
      let nobody = source.wanted.map { "\($0) has no" } ?? "no master is known that has a"
      Message.error("why: \(nobody) worker \"\(name)\"\(guess)")
    }
    return ExitStatus.noSuchTarget
  }
}
