internal import CProcCtl
internal import Glibc
internal import Logging
internal import ProcCtl
internal import SystemPackage

/// How workers are kept together on this machine: what each asked for, checked
/// against what the machine can do, before anything is started.
struct ContainmentPlan {
  /// How one worker is kept together.
  enum Containment {
    case session
    /// A fresh cgroup per start, below this one.
    case cgroup(parent: FilePath)
    case guardian(GuardLaunch)
  }

  /// The cgroup that holds one per worker; nil if no worker uses one.
  let parent: FilePath?
  /// Why there are no cgroups; nil if there are, or nobody asked.
  let obstacle: ProcessError?
  private let guardProgram: Executable
  private let namespace: ProcessNamespace?
  private let capabilities: (own: CapabilitySet, inherited: CapabilitySet)?

  /// - Parameter guardProgram: The `procctl` that guards are run with.
  /// - Throws: `ProcessError` with code `.contain` if a worker asks for what cannot be had.
  init(for definitions: [WorkerDefinition], guardProgram: Executable) throws(ProcessError) {
    self.guardProgram = guardProgram
    let held = try HeldCapabilities.current()
    self.capabilities = geteuid() == 0 || held.permitted.isEmpty ? nil : (held.permitted, held.ambient)
    self.namespace = try ContainmentPlan.namespace(for: definitions)
    var parent: FilePath?
    var obstacle: ProcessError?
    if definitions.contains(where: { [.automatic, .cgroup].contains($0.contain) }) {
      do throws(ProcessError) {
        parent = try ContainmentPlan.makeParent()
      } catch {
        if let worker = definitions.first(where: { $0.contain == .cgroup }) {
          throw ContainmentPlan.refusal(of: "a cgroup", to: worker, error)
        }
        obstacle = error
      }
    }
    self.parent = parent
    self.obstacle = obstacle
    guard let worker = definitions.first(where: { self.needsGuard($0) }) else { return }
    if let missing = Command(guardProgram).obstacle() {
      throw ContainmentPlan.refusal(of: "a guard", to: worker, missing)
    }
  }

  private static func namespace(
    for definitions: [WorkerDefinition]
  ) throws(ProcessError) -> ProcessNamespace? {
    guard let worker = definitions.first(where: { $0.contain == .pidNamespace }) else { return nil }
    do throws(ProcessError) {
      return try ProcessNamespace.available()
    } catch {
      throw self.refusal(of: "a pid namespace", to: worker, error)
    }
  }

  private static func makeParent() throws(ProcessError) -> FilePath {
    let own = try CgroupHierarchy.current().own
    if let obstacle = Cgroup.obstacle(under: own) { throw obstacle }
    let parent = own.appending("procctl-\(getpid())")
    guard mkdir(parent.string, 0o755) == 0 || errno == EEXIST else {
      throw ProcessError(.contain, doing: "make cgroup \(parent)", underlyingError: Errno(rawValue: errno))
    }
    return parent
  }

  private static func refusal(
    of container: String, to worker: WorkerDefinition, _ error: ProcessError
  ) -> ProcessError {
    ProcessError(
      .contain, doing: "contain \(worker.name) in \(container): \(error.operation)",
      underlyingError: error.underlyingError)
  }

  private func needsGuard(_ definition: WorkerDefinition) -> Bool {
    if case .guardian = self.containment(of: definition) { true } else { false }
  }

  /// What this worker gets. Where it leaves that to us, see ``ContainmentChoice/automatic(hasCgroups:)``.
  func containment(of definition: WorkerDefinition) -> Containment {
    let choice =
      definition.contain == .automatic
      ? ContainmentChoice.automatic(hasCgroups: self.parent != nil) : definition.contain
    switch choice {
    case .session:
      return .session
    case .cgroup:
      // Who asked for one that cannot be had was refused at the start.
      if let parent = self.parent { return .cgroup(parent: parent) }
    case .pidNamespace:
      return .guardian(self.launch(definition, in: self.namespace))
    case .automatic, .guardian:
      break
    }
    return .guardian(self.launch(definition, in: nil))
  }

  private func launch(_ definition: WorkerDefinition, in namespace: ProcessNamespace?) -> GuardLaunch {
    var launch = GuardLaunch(program: self.guardProgram, namespace: namespace, leftovers: .left)
    launch.capabilities = self.capabilities
    // Should it be asked itself, it must not be less patient than we are.
    let grace = definition.stop.timeForSignals + .seconds(1)
    launch.options = ["--grace", ByteString(grace.text)]
    return launch
  }

  /// What was chosen, a line for each kind, for the log.
  func summary(of definitions: [WorkerDefinition]) -> [(text: String, metadata: Logger.Metadata)] {
    var counts: [String: Int] = [:]
    var metadata: [String: Logger.Metadata] = [:]
    for definition in definitions {
      let kind: String
      switch self.containment(of: definition) {
      case .session:
        kind = "sessions"
      case .cgroup(let parent):
        kind = "cgroups"
        metadata[kind] = ["cgroup": "\(parent)"]
      case .guardian(let launch):
        kind = launch.namespace == nil ? "guards" : "pid namespaces"
        if launch.namespace == .unprivileged { metadata[kind] = ["user-namespace": "our own user only"] }
        if definition.contain == .automatic, let obstacle = self.obstacle {
          metadata[kind] = ["no-cgroups": "\(obstacle)"]
        }
      }
      counts[kind, default: 0] += 1
    }
    return counts.sorted { $0.key < $1.key }.map { kind, count in
      let some = count == 1 ? "1 worker is" : "\(count) workers are"
      return (
        "\(count == definitions.count ? "workers are" : some) contained by \(kind)", metadata[kind] ?? [:]
      )
    }
  }

  /// Removes the cgroup that held the workers' ones. Returns why it is left, if it is.
  func remove() -> ProcessError? {
    guard let parent = self.parent, let error = Cgroup.removeDirectory(parent) else { return nil }
    return ProcessError(.contain, doing: "remove cgroup \(parent)", underlyingError: error)
  }
}
