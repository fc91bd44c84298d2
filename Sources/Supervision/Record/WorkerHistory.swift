internal import FoundationEssentials

/// The last events in the life of each worker, over all masters of a configuration. A value.
package struct WorkerHistory: Sendable, Equatable {
  /// How many are kept of each.
  package static let mostEvents = 50

  private var events: [String: [WorkerEvent]] = [:]
  /// In the order in which they were first heard of.
  package private(set) var workers: [String] = []

  package init() {}

  /// Reads lines; those that are none, as after a crash in the middle of one, are passed over.
  package init(lines: some Collection<UInt8>) {
    let decoder = JSONDecoder()
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      guard let event = try? decoder.decode(WorkerEvent.self, from: Data(line)) else { continue }
      self.add(event)
    }
  }

  package mutating func add(_ event: WorkerEvent) {
    if !event.worker.isEmpty, self.events[event.worker] == nil { self.workers.append(event.worker) }
    self.events[event.worker, default: []].add(event)
  }

  /// The worker's, oldest first; with an empty name, of masters.
  package func events(of worker: String) -> [WorkerEvent] { self.events[worker] ?? [] }

  /// Whose they are; nil if no master has said so.
  package var configuration: String? { self.events(of: "").last?.configuration }

  package var count: Int { self.events.values.reduce(0) { $0 + $1.count } }

  /// All of it as lines, the newest last of each.
  package var lines: [UInt8] {
    ([""] + self.workers).flatMap { self.events(of: $0).flatMap(\.line) }
  }
}

extension [WorkerEvent] {
  /// Tries that follow one another would push out what led to them, and are one.
  fileprivate mutating func add(_ event: WorkerEvent) {
    if event.kind == .waiting, let last = self.last, last.kind == .waiting {
      var merged = event
      // Read from a file, they may be any numbers.
      let (times, isTooMany) = (last.times ?? 1).addingReportingOverflow(event.times ?? 1)
      merged.times = isTooMany ? .max : times
      self[self.count - 1] = merged
      return
    }
    self.append(event)
    if self.count > WorkerHistory.mostEvents { self.removeFirst(self.count - WorkerHistory.mostEvents) }
  }
}
