internal import ProcCtl

/// The account of a shutdown for people, as text.
package enum ShutdownTable {
  package static func text(of record: ShutdownRecord, style: TextStyle) -> String {
    var lines: [String] = []
    let count = "\(record.workers.count) \(record.workers.count == 1 ? "worker" : "workers")"
    lines.append(style.paint("Shutdown of \(self.printable(record.configuration))", .bold))
    lines.append("\(record.began.date), \(self.printable(record.reason)), \(count)")
    let verdict: TextStyle.Colour = record.exitStatus == 0 ? .green : record.exitStatus < 4 ? .yellow : .red
    lines.append(
      style.paint("exit status \(record.exitStatus): \(self.printable(record.summary))", verdict)
        + ", in \(record.duration.text) of at most \(record.budget.text)")
    lines += [""] + self.phases(record).lines(style) + [""] + self.workers(record).lines(style)
    if !record.cleanups.isEmpty { lines += [""] + self.cleanups(record).lines(style) }
    let notes = self.notes(record)
    if !notes.isEmpty { lines += [""] + notes.map { style.paint(self.printable($0.text), $0.colour) } }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func phases(_ record: ShutdownRecord) -> TextColumns {
    var columns = TextColumns(["PHASE", "BEGAN", "TOOK", "OUTCOME"])
    for phase in record.phases {
      columns.add([
        .init(phase.name), .init(phase.start.text), .init(phase.duration.text), .init(phase.outcome),
      ])
    }
    return columns
  }

  private static func workers(_ record: ShutdownRecord) -> TextColumns {
    var columns = TextColumns([
      "WORKER", "PORT", "PID", "TOOK", "LEADER", "ASKED", "SIGNALS", "CLIENTS", "PORT IS",
    ])
    for lane in record.workers {
      let state = lane.states.last?.state ?? ""
      let isBad = state == "failed" || lane.duration == nil
      let colour: TextStyle.Colour? =
        isBad || lane.force == "kill" ? .red : lane.force == "signal" ? .yellow : nil
      let took = isBad ? "failed" : lane.ran ? lane.duration?.text ?? "" : "-"
      columns.add([
        .init(self.cut(lane.name), colour), .init(lane.port.map { "\($0)" } ?? "-"),
        .init(lane.pid.map { "\($0)" } ?? "-"), .init(took, colour), .init(lane.leaderEnd?.text ?? "-"),
        .init(self.asked(lane)), .init(self.signals(lane), colour), .init(self.clients(lane)),
        .init(self.port(lane), lane.portChecks.last?.holder == nil ? nil : .red),
      ])
    }
    return columns
  }

  private static func asked(_ lane: ShutdownRecord.Lane) -> String {
    guard let request = lane.requests.last else { return "-" }
    guard let answered = request.answered else {
      // A worker that obeys at once may have ended before its answer was read.
      return lane.signals.isEmpty && lane.leaderEnd != nil ? "ended first" : "no answer"
    }
    let time = Microseconds(answered.count - request.at.count).text
    return request.refusal.map { self.printable($0) } ?? "agreed in \(time)"
  }

  private static func signals(_ lane: ShutdownRecord.Lane) -> String {
    if lane.signals.isEmpty { return "-" }
    return lane.signals.map { signal in
      let name = signal.signal.hasPrefix("SIG") ? String(signal.signal.dropFirst(3)) : signal.signal
      return signal.processes == 1 ? name : "\(name) to \(signal.processes)"
    }.joined(separator: ", ")
  }

  private static func clients(_ lane: ShutdownRecord.Lane) -> String {
    guard let first = lane.clients.first, let last = lane.clients.last else { return "-" }
    let forced = lane.clientsForced > 0 ? ", \(lane.clientsForced) forced" : ""
    return (lane.clients.count == 1 ? "\(first.connected)" : "\(first.connected) → \(last.connected)")
      + forced
  }

  private static func port(_ lane: ShutdownRecord.Lane) -> String {
    guard let check = lane.portChecks.last else { return "-" }
    return check.holder.map { "held by \(self.printable($0))" } ?? "free"
  }

  private static func cleanups(_ record: ShutdownRecord) -> TextColumns {
    var columns = TextColumns(["CLEANUP", "BEGAN", "TOOK", "OUTCOME"])
    for cleanup in record.cleanups {
      columns.add([
        .init(self.cut(cleanup.name)), .init(cleanup.start.text), .init(cleanup.duration?.text ?? "-"),
        .init(cleanup.failure.map { self.printable($0) } ?? "done", cleanup.failure == nil ? nil : .red),
      ])
    }
    return columns
  }

  private static func notes(_ record: ShutdownRecord) -> [(text: String, colour: TextStyle.Colour?)] {
    var notes: [(String, TextStyle.Colour?)] = record.leftovers.map { leftover in
      let whose = leftover.worker.map { " of \($0)" } ?? ""
      return (
        "left behind\(whose): \(leftover.what)\(leftover.isCleaned ? ", removed" : "")",
        leftover.isCleaned ? nil : .red
      )
    }
    notes += record.heldPorts.map { ("port \($0)", .red) }
    notes += record.survivors.map { ("survivor: \($0)", .red) }
    notes += record.failedCleanups.map { ("cleanup \($0)", .red) }
    notes += record.internalErrors.map { ("internal error: \($0)", .red) }
    return notes
  }

  private static func cut(_ name: String) -> String {
    let name = self.printable(name)
    return name.count > 32 ? name.prefix(31) + "…" : name
  }

  /// Names of processes and paths are somebody else's text.
  private static func printable(_ text: String) -> String { PrintableText.escaping(text.utf8, limit: 1000) }
}
