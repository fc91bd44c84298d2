/// How the processes a program starts are kept together, as the user asks for it. Cases may be added.
///
/// Asking for what the machine cannot do is an error, never a silent downgrade; only
/// `automatic` chooses for itself, the strongest way the rights at hand allow.
public enum ContainmentChoice: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// The strongest way available here.
  case automatic = "auto"
  /// A session of its own (setsid(2)), group kill, and a sweep of what left it.
  case session
  /// A fresh version 2 control group (cgroups(7)), ended by cgroup.kill.
  case cgroup
  /// A small supervisor in between, a subreaper for this one program.
  case guardian = "guard"
  /// A pid namespace (pid_namespaces(7)): the kernel ends all when its first process ends.
  case pidNamespace = "pid-namespace"

  /// Reads `auto`, `session`, `cgroup`, `guard` or `pid-namespace`; nil for anything else.
  public init?(name: String) {
    self.init(rawValue: name)
  }

  /// All names that can be given.
  public static var allNames: [String] { self.allCases.map(\.rawValue) }

  /// The name, as it is written in a configuration and on the command line.
  public var description: String { self.rawValue }
}
