import Glibc
import Testing

/// What some tests need of the machine. Without it they are skipped, and say
/// why; where CI=true nothing may be skipped, and they fail.
enum Requirement {
  case root
  case cgroup
  case program(String)
  /// An optimised procctl with the Swift library inside.
  case shippedProgram
  /// What RealWorkers/programs/prepare makes.
  case realWorkers
  /// Installed, or unpacked by that script.
  case debianProgram(String)

  private var isMet: Bool {
    switch self {
    case .root: geteuid() == 0
    case .cgroup: TestCgroup.parent != nil
    case .program(let name): Programs.find(name) != nil
    case .shippedProgram: Programs.shipped != nil
    case .realWorkers: RealPrograms.directory != nil
    case .debianProgram(let name): RealPrograms.debian(name) != nil
    }
  }

  private var text: String {
    switch self {
    case .root: "root"
    case .cgroup: "a cgroup v2 tree that can be written to"
    case .program(let name), .debianProgram(let name): "the program \(name)"
    case .shippedProgram: "a release build with --static-swift-stdlib"
    case .realWorkers: "what Tests/SystemTests/RealWorkers/programs/prepare makes"
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
