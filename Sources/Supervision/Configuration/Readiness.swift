/// How the master learns that a worker is ready to serve. Cases may be added.
///
/// - Important: The master of this version does not ask by ``descriptor`` or ``exec(_:)`` yet: a
///   configuration file with one is refused, and a worker defined so in code never becomes ready.
public enum Readiness: Sendable, Equatable {
  /// The worker says so itself: `READY=1` (sd_notify(3)).
  case notify
  /// The worker writes a newline to a descriptor it was given.
  case descriptor
  /// Its port accepts connections.
  case tcp
  /// A GET of this path on its port is answered with success.
  case http(path: String)
  /// This command exits with 0.
  case exec([String])
  /// It counts as ready once its program runs.
  case none

  /// Whether there is something to connect to, so that the worker needs a port.
  public var needsPort: Bool {
    switch self {
    case .tcp, .http: true
    case .notify, .descriptor, .exec, .none: false
    }
  }

  /// What `init(text:)` understands, but for what is not available yet.
  static let forms = "\"notify\", \"tcp\", \"http:/PATH\" or \"none\""

  /// Reads `notify`, `fd`, `tcp`, `http:/PATH`, `exec:COMMAND` (run by /bin/sh) or `none`; nil for
  /// anything else.
  public init?(text: String) {
    switch text {
    case "notify": self = .notify
    case "fd": self = .descriptor
    case "tcp": self = .tcp
    case "none": self = .none
    default:
      if let path = text.suffix(after: "http:"), HTTPTarget.isValid(path) {
        self = .http(path: path)
      } else if let command = text.suffix(after: "exec:"), !command.isEmpty {
        self = .exec(["/bin/sh", "-c", command])
      } else {
        return nil
      }
    }
  }
}

/// What may stand in the first line of an HTTP request.
enum HTTPTarget {
  /// Whether the text is a path with an optional query, and cannot break out of the request line.
  static func isValid(_ text: String) -> Bool {
    text.hasPrefix("/") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
  }

  /// Whether the text is a method: capital letters only.
  static func isMethod(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
  }
}

extension String {
  /// What follows the prefix; nil if the text does not begin with it.
  func suffix(after prefix: String) -> String? {
    self.hasPrefix(prefix) ? String(self.dropFirst(prefix.count)) : nil
  }
}
