import Glibc
import Testing

/// What some tests need of the machine. Without it they are skipped, and say
/// why; where CI=true nothing may be skipped, and they fail.
enum Requirement {
  case root
  case cgroup
  case program(String)

  private var isMet: Bool {
    switch self {
    case .root: geteuid() == 0
    case .cgroup: TestCgroup.parent != nil
    case .program(let name): Programs.find(name) != nil
    }
  }

  private var text: String {
    switch self {
    case .root: "root"
    case .cgroup: "a cgroup v2 tree that can be written to"
    case .program(let name): "the program \(name)"
    }
  }

  fileprivate func check() throws -> Bool {
    if self.isMet { return true }
    guard let value = getenv("CI"), String(cString: value) == "true" else { return false }
    throw WaitError("needs \(self.text), and with CI=true nothing is skipped")
  }

  fileprivate func comment(_ reason: String) -> Comment { "needs \(self.text): \(reason)" }
}

extension Trait where Self == ConditionTrait {
  /// - Parameter reason: What the test needs it for.
  static func needs(_ requirement: Requirement, _ reason: String) -> Self {
    .enabled(requirement.comment(reason)) { try requirement.check() }
  }
}
