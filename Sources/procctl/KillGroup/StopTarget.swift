internal import ProcCtl
internal import Supervision

/// Whom a word on kill-group's command line means.
enum StopTarget {
  case process(ProcessStatus)
  /// The supervisor of a detached spawn: asked to stop, it stops its command.
  case supervisor(ProcessStatus)
  case worker(KnownWorker)
  case missing(String)
  /// Whether anybody of it is left cannot be known.
  case unknown(String)
  case refused(String)

  static func resolve(
    _ text: String, workers: [KnownWorker], kernel: any Kernel
  ) throws(ProcessError) -> StopTarget {
    if text.hasPrefix("@") {
      return try self.resolve(worker: text.dropFirst(), among: workers, kernel: kernel)
    }
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    if let number = Int32(parts[0]), parts.count <= 2 {
      return try self.resolve(
        number, startTime: parts.count == 2 ? parts[1] : nil, text: text, kernel: kernel)
    }
    guard SpawnRegistry.isValid(name: text) else {
      return .refused("\"\(PrintableText.escaping(text.utf8))\" is no PID, PID@STARTTIME, NAME or @WORKER")
    }
    guard let identity = try SpawnRegistry.find(name: text),
      let status = try kernel.status(of: identity.processIdentifier), status.identity == identity
    else { return .missing("no running spawn is named \(text)") }
    return .supervisor(status)
  }

  /// The one worker that is meant and of which somebody is left.
  private static func resolve(
    worker text: Substring, among workers: [KnownWorker], kernel: any Kernel
  ) throws(ProcessError) -> StopTarget {
    let shown = PrintableText.escaping(text.utf8)
    guard let selector = KnownWorker.Selector(text) else {
      return .refused("\"@\(shown)\" is no @WORKER, @PID/WORKER or @CONFIG/WORKER")
    }
    let named = workers.filter(selector.matches)
    guard !named.isEmpty else {
      switch try UnlistedWorker.fate(of: selector) {
      case .gone(let why): return .missing(why)
      case .unknown(let why): return .unknown(why)
      }
    }
    let loop = try EventLoop()
    var running: [KnownWorker] = []
    // Of a living master, only what it says it has started: all else is between two starts.
    for worker in named where worker.hasStarted || !worker.masterLives {
      let stop = ForeignStop(loop: loop, parts: [try worker.part(kernel: kernel)])
      if !(try stop.members().isEmpty) { running.append(worker) }
    }
    if running.count > 1 {
      let choices = running.map { "\n  \($0.description)" }.joined()
      return .refused("@\(shown) is a worker of several masters; say which one:\(choices)")
    }
    guard let worker = running.first else {
      return .missing("does not run: \(named.map(\.description).joined(separator: "; "))")
    }
    return .worker(worker)
  }

  private static func resolve(
    _ number: Int32, startTime: Substring?, text: String, kernel: any Kernel
  ) throws(ProcessError) -> StopTarget {
    guard number > 1 else {
      return .refused("refused: \(text): 0 and negative numbers mean whole groups to kill(2), and 1 is init")
    }
    var expected: UInt64?
    if let startTime {
      guard let parsed = UInt64(startTime) else {
        return .refused(
          "\"\(PrintableText.escaping(text.utf8))\": a start time is a number, field 22 of /proc/PID/stat")
      }
      expected = parsed
    }
    guard let status = try kernel.status(of: ProcessIdentifier(number)) else {
      let here = LinuxKernel()
      if try here.hidesProcesses(), here.exists(ProcessIdentifier(number)) {
        throw ProcessError(.inspect, doing: "look at process \(number), which /proc hides (hidepid)")
      }
      return .missing("no process \(number)")
    }
    // Kernel threads: kthreadd is 2, and the parent of all others.
    let second = try kernel.status(of: ProcessIdentifier(2), listedBelow: ProcessIdentifier(0))
    let kthreadd = second.map { $0.name == "kthreadd" } ?? false
    if kthreadd, number == 2 || status.parent.value == 2 {
      return .refused("refused: \(text) is a thread of the kernel")
    }
    // kill(2) takes the id of any thread, and /proc shows it; we end processes only.
    if let process = try ThreadGroup.process(of: ProcessIdentifier(number)), process.value != number {
      return .missing("no process \(number): it is a thread of process \(process)")
    }
    if let expected, status.identity.startTime != expected {
      return .missing("\(text) is gone: process \(number) started at \(status.identity.startTime)")
    }
    return .process(status)
  }
}
