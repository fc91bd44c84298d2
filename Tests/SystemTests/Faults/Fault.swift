import Glibc

/// One way in which calls of procctl go wrong, as Tests/FaultInjection understands it.
struct Fault: Sendable, Hashable, CustomStringConvertible {
  enum Occasion: Sendable, Hashable {
    /// Only this one, counted from 1.
    case nth(Int)
    case from(Int)
    case every(Int)
  }

  var call: String
  /// Only calls of which the detail (a path, a descriptor) contains this.
  var detail: String?
  var occasion: Occasion
  /// An errno by name, `short`, `delay:MILLISECONDS` or `crash:SIGNAL`.
  var effect: String

  init(_ call: String, about detail: String? = nil, _ occasion: Occasion, _ effect: String) {
    self.call = call
    self.detail = detail
    self.occasion = occasion
    self.effect = effect
  }

  /// Whether it comes again and again.
  var lasts: Bool { if case .from = self.occasion { true } else { false } }

  var description: String {
    let when =
      switch self.occasion {
      case .nth(let number): "\(number)"
      case .from(let number): "\(number)+"
      case .every(let number): "%\(number)"
      }
    return self.call + (self.detail.map { "~\($0)" } ?? "") + "@\(when)=\(self.effect)"
  }
}

/// What goes wrong in one run, and where the calls are listed.
struct FaultPlan {
  var faults: [Fault] = []
  var record: String?
  /// Nothing goes wrong before this file is there.
  var gate: String?
  var hangsAtExit = false

  static let library = "\(Programs.directory)/lib_FaultInjection.so"

  /// What a program is started with for it.
  var environment: [Bytes] {
    var clauses = self.faults.map(\.description) + (self.record.map { ["record=\($0)"] } ?? [])
    if let gate = self.gate { clauses.append("after=\(gate)") }
    if self.hangsAtExit { clauses.append("at-exit=hang") }
    return ["LD_PRELOAD=\(FaultPlan.library)", "PROCCTL_FAULTS=\(clauses.joined(separator: ";"))"]
  }
}

/// The calls a run made, in order.
struct FaultRecord {
  struct Entry: Hashable {
    var call: String
    /// Which of the calls of this name, from 1.
    var index: Int
    var detail: String
    /// What was done to it; nil for nothing.
    var effect: String?
  }

  var entries: [Entry]

  init(path: String) {
    let text = (ProcTable.bytes(path, limit: 1 << 23) ?? []).prefix { $0 != 0 }
    self.entries = String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { line in
      var words = line.split(separator: " ").map(String.init)
      let effect = words.last.flatMap { $0.hasPrefix("!") ? String($0.dropFirst()) : nil }
      if effect != nil { words.removeLast() }
      guard words.count >= 2, let index = Int(words[1]) else { return nil }
      return Entry(
        call: words[0], index: index, detail: words.dropFirst(2).joined(separator: " "), effect: effect)
    }
  }

  func count(of call: String) -> Int { self.entries.count { $0.call == call } }

  var tampered: [Entry] { self.entries.filter { $0.effect != nil } }
}
