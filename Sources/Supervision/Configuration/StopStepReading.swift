internal import ProcCtl
internal import SystemPackage

extension ConfigurationReader {
  /// Reads `stop`: steps that each have a request or a signal. KILL is appended if it is not the last.
  mutating func stopSteps(
    in table: TOMLNode, shutdown: ShutdownTimeouts, forRepositories: Bool,
    needsPort: inout [(what: String, line: Int)]
  ) -> [StopStep]? {
    guard
      let nodes = self.tables("stop", in: table, mustBe: "an array of steps such as { signal = \"TERM\" }")
    else { return nil }
    var steps: [StopStep] = []
    for node in nodes {
      if steps.last?.isKill == true {
        self.report(node.line, "nothing can follow KILL: the step before is the last")
        break
      }
      let step = self.stopStep(
        node, shutdown: shutdown, forRepositories: forRepositories, needsPort: &needsPort)
      if let step { steps.append(step) }
    }
    if steps.last?.isKill != true { steps.append(.signal(.kill, wait: nil)) }
    return steps
  }

  private mutating func stopStep(
    _ node: TOMLNode, shutdown: ShutdownTimeouts, forRepositories: Bool,
    needsPort: inout [(what: String, line: Int)]
  ) -> StopStep? {
    let table = self.admit(node, keys: ConfigurationKey.stopStep)
    let wait = self.duration("wait", in: table)
    switch (table["request"], table["signal"]) {
    case (let request?, nil):
      guard
        let (method, path) = self.string(
          "request", in: table, mustBe: "a method and a path such as \"POST /shutdown\"",
          as: { text -> (String, String)? in
            let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            guard words.count == 2, HTTPTarget.isMethod(words[0]), HTTPTarget.isValid(words[1]) else {
              return nil
            }
            return (words[0], words[1])
          })
      else { return nil }
      var socket: PlaceholderText?
      if let node = table["socket"] {
        guard
          let text = self.string(
            "socket", in: table, mustBe: "the path of a Unix socket",
            as: { $0.isEmpty || $0.utf8.contains(0) ? nil : $0 })
        else { return nil }
        socket = self.placeholderText(
          text, line: node.line, allowed: forRepositories ? [.port, .name, .path] : [.port, .name],
          needsPort: &needsPort)
      } else {
        needsPort.append(("a stop request", request.line))
      }
      return .request(method: method, path: path, socket: socket, wait: wait ?? shutdown.graceful)
    case (nil, let signal?):
      if let socket = table["socket"] {
        self.report(socket.line, "\"socket\" is where a \"request\" goes; a signal has none")
      }
      guard let name = self.string("signal", in: table, mustBe: "the name of a signal") else { return nil }
      guard let number = Signal(name: name) else {
        let names = Signal.all.map { String($0.description.dropFirst(3)) }
        self.report(signal.line, self.unknown("signal", name, among: names))
        return nil
      }
      if number != .kill, table["wait"] == nil {
        self.report(signal.line, "the step \(number) needs a \"wait\": only KILL can do without")
        return nil
      }
      return .signal(number, wait: wait)
    default:
      // Of a misspelled key there is word already.
      if table["request"] != nil || node.members.allSatisfy({ ConfigurationKey.stopStep.contains($0.key) }) {
        self.report(node.line, "a stop step has either a \"request\" or a \"signal\"")
      }
      return nil
    }
  }
}

extension StopStep {
  /// The same step with the places of its socket filled in.
  ///
  /// - Parameter directory: What a relative path starts from.
  func filling(_ values: [PlaceholderText.Placeholder: String], in directory: FilePath) -> StopStep {
    guard case .request(let method, let path, let socket?, let wait) = self else { return self }
    var name = socket.filling(values).description
    if !name.hasPrefix("@"), FilePath(name).isRelative { name = directory.pushing(FilePath(name)).string }
    return .request(method: method, path: path, socket: PlaceholderText(name), wait: wait)
  }
}

extension WorkerDefinition {
  /// Why a socket of its stop requests cannot be one; nil if there is nothing to say.
  var socketProblem: String? {
    for case .request(_, _, let socket?, _) in self.stop
    where SocketAddress.unix(path: socket.description).kernelForm == nil {
      return
        "the name of a Unix socket has at most 107 bytes, \"\(socket)\" has \(socket.description.utf8.count)"
    }
    return nil
  }
}
