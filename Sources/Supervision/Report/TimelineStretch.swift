/// A part of a worker's bar: what was being done to it.
struct TimelineStretch: Sendable, Equatable {
  enum Kind: Sendable, CaseIterable {
    /// Asked in words, or about to be.
    case asked
    case signalled
    case killed
    /// Its processes are gone; its port is looked at.
    case port

    var colour: String {
      switch self {
      case .asked: "#4f8fd9"
      case .signalled: "#e8a33d"
      case .killed: "#d1453b"
      case .port: "#2ea597"
      }
    }

    var words: String {
      switch self {
      case .asked: "asked"
      case .signalled: "signalled"
      case .killed: "killed"
      case .port: "port verified"
      }
    }
  }

  var kind: Kind
  var start: Microseconds
  var end: Microseconds

  /// Those of a worker, one after the other; none if it did not run when the stop began.
  static func all(of lane: ShutdownRecord.Lane, total: Microseconds) -> [TimelineStretch] {
    guard let first = lane.states.first(where: { $0.state == "stopping" })?.at ?? lane.signals.first?.at,
      lane.states.count > 1
    else { return [] }
    var stretches: [TimelineStretch] = []
    func begin(_ kind: Kind, _ at: Microseconds) {
      if let last = stretches.indices.last {
        guard stretches[last].kind != kind else { return }
        stretches[last].end = at
      }
      stretches.append(TimelineStretch(kind: kind, start: at, end: total))
    }
    begin(.asked, first)
    for signal in lane.signals { begin(signal.signal == "SIGKILL" ? .killed : .signalled, signal.at) }
    if let check = lane.portChecks.first { begin(.port, check.at) }
    return stretches.filter { $0.end > $0.start || stretches.count == 1 }
  }
}
