import Glibc
import Testing

/// What some tests need of the machine. Without it they are skipped, and say
/// why; where CI=true nothing may be skipped, and they fail.
enum Requirement {
  case root
  case cgroup
  /// That somebody can be asked before a file is written to.
  case withheldWrites
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
    case .withheldWrites: geteuid() == 0 && Self.kernelAsks && Self.fileSystemAsks
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
    case .withheldWrites: "root, Linux 6.14, and ext4, xfs or btrfs below /tmp (fanotify(7), FAN_PRE_ACCESS)"
    case .program(let name), .debianProgram(let name): "the program \(name)"
    case .shippedProgram: "a release build with --static-swift-stdlib"
    case .realWorkers: "what Tests/SystemTests/RealWorkers/programs/prepare makes"
    }
  }

  private static var kernelAsks: Bool {
    let release = ProcTable.text("/proc/sys/kernel/osrelease") ?? ""
    let numbers = release.split(separator: ".").prefix(2).map { Int($0.prefix { $0.isNumber }) ?? 0 }
    return numbers.count == 2 && (numbers[0], numbers[1]) >= (6, 14)
  }

  private static var fileSystemAsks: Bool {
    let mounts = (ProcTable.text("/proc/self/mountinfo") ?? "").split(separator: "\n")
      .map { $0.split(separator: " ") }
    let own = mounts.last { $0.count > 4 && $0[4] == "/tmp" } ?? mounts.last { $0.count > 4 && $0[4] == "/" }
    guard let own, let dash = own.firstIndex(of: "-"), own.count > dash + 1 else { return false }
    return ["ext4", "xfs", "btrfs"].contains(own[dash + 1])
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
