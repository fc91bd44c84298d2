internal import FoundationEssentials
internal import ProcCtl

/// What kill-group prints.
struct KillGroupReporter {
  var json: Bool
  /// Why a process is one of those.
  var reason: (ProcessIdentity) -> String?

  private struct Report: Encodable {
    var ended: Bool
    var processes: [ProcessRecord]
    var survivors: [ProcessRecord]
    var held_ports: [String]
    var last_signal: String?
    var seconds: Double
  }

  /// The tree, indented by parenthood.
  func wouldEnd(_ members: [ProcessStatus]) {
    if self.json {
      return JSONLine.write(members.map { self.record($0) }, to: 1)
    }
    let known = Set(members.map(\.processIdentifier))
    let children = Dictionary(grouping: members) { $0.parent }
    func show(_ process: ProcessStatus, depth: Int) {
      Message.write(String(repeating: "  ", count: depth) + self.line(process) + "\n", to: 1)
      for child in children[process.processIdentifier] ?? [] { show(child, depth: depth + 1) }
    }
    for root in members where !known.contains(root.parent) { show(root, depth: 0) }
  }

  func ended(_ members: [ProcessStatus], _ result: StopResult, heldPorts: [String]) {
    if self.json {
      JSONLine.write(
        Report(
          ended: result.isEmpty && heldPorts.isEmpty, processes: members.map { self.record($0) },
          survivors: result.survivors.map { ProcessRecord($0) }, held_ports: heldPorts,
          last_signal: result.lastSignal?.description, seconds: result.duration.inSeconds), to: 1)
    }
    for survivor in result.survivors { Message.error("survived: \(survivor)") }
    for port in heldPorts { Message.error("kill-group: port \(port)") }
    if let error = result.unverified {
      Message.error("kill-group: find out whether somebody is left: \(error)")
    }
  }

  private func record(_ process: ProcessStatus) -> ProcessRecord {
    var record = ProcessRecord(process)
    record.reason = self.reason(process.identity)
    return record
  }

  private func line(_ process: ProcessStatus) -> String {
    let place = "\(process.state), group \(process.processGroup), session \(process.session)"
    let reason = self.reason(process.identity).map { ": \($0)" } ?? ""
    return "\(process.identity) \(process.name.printable) (\(place))\(reason)"
  }
}
