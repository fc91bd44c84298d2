/// What a systemd unit says about how its service is stopped, as far as it matters to a master. A value.
package struct ServiceSettings: Sendable, Equatable {
  package var timeoutStop: SystemdTimeSpan?
  package var killMode: String?
  package var notifyAccess: String?
  package var type: String?
  package var delegate: String?
  /// Whether systemd has the unit: it answers for one that it has not as well, with what it would take.
  package var loadState: String?

  package init() {}

  /// The properties `systemctl show` prints, a line each, for ``properties``.
  package init(shown text: String) {
    for line in text.split(separator: "\n") { self.set(line, timeout: ["TimeoutStopUSec"]) }
  }

  package static let properties = "TimeoutStopUSec,KillMode,NotifyAccess,Type,Delegate,LoadState"

  /// The text of a unit file (systemd.unit(5)), with what systemd takes where it says nothing.
  package init(unitFile text: String) {
    self.timeoutStop = .finite(.seconds(90))
    self.killMode = "control-group"
    self.type = "simple"
    self.delegate = "no"
    var isService = false
    var continued = ""
    for raw in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let line = Self.trimmed(raw)
      // Comments may stand between the lines of one assignment.
      if line.hasPrefix("#") || line.hasPrefix(";") { continue }
      if line.hasSuffix("\\") {
        continued += line.dropLast() + " "
        continue
      }
      let whole = Self.trimmed((continued + line)[...])
      continued = ""
      if whole.hasPrefix("[") {
        isService = whole == "[Service]"
      } else if isService {
        self.set(whole[...], timeout: ["TimeoutStopSec", "TimeoutSec"])
      }
    }
    if self.notifyAccess == nil {
      self.notifyAccess = self.type?.hasPrefix("notify") == true ? "main" : "none"
    }
  }

  private mutating func set(_ line: Substring, timeout: [String]) {
    guard let sign = line.firstIndex(of: "=") else { return }
    let name = Self.trimmed(line[..<sign])
    let value = Self.trimmed(line[line.index(after: sign)...])
    switch name {
    case "KillMode": self.killMode = value
    case "NotifyAccess": self.notifyAccess = value
    case "Type": self.type = value
    case "Delegate": self.delegate = value
    case "LoadState": self.loadState = value
    case _ where timeout.contains(name):
      // In a unit file, 0 is no limit (systemd.service(5)).
      let span = SystemdTimeSpan(value)
      self.timeoutStop = span == .finite(.zero) ? .infinite : span
    default: break
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    let blank: Set<Character> = [" ", "\t", "\r"]
    let start = text.drop { blank.contains($0) }
    return String(
      start[..<(start.lastIndex { !blank.contains($0) }.map { start.index(after: $0) } ?? start.startIndex)])
  }

  /// What of it keeps a master from stopping its workers in order, a line each.
  package var obstacles: [String] {
    var found: [String] = []
    switch self.killMode {
    case "control-group":
      found.append(
        "KillMode=control-group: systemd signals the workers itself, before the master asks them; use mixed")
    case "process", "none":
      found.append(
        "KillMode=\(self.killMode ?? ""): if the master is killed, systemd leaves its workers; use mixed")
    default: break
    }
    if let type = self.type, !type.hasPrefix("notify") {
      found.append(
        "Type=\(type): \"started\" does not wait until the workers are ready, and systemd cannot be asked for "
          + "more time; use notify")
    }
    if self.notifyAccess == "none" {
      found.append("NotifyAccess=none: systemd does not listen to the master; use main")
    }
    if self.delegate == "no" {
      found.append("Delegate=no: workers cannot have control groups of their own; use yes")
    }
    return found
  }
}
