internal import ProcCtl
internal import Supervision

/// The sockets of simulated workers: each process that lives has one, under its worker's name.
final class SimulatedResources: WorkerResources {
  /// More of them would make runs of thousands slow.
  static let workers = 256

  private let kernel: SimulatedKernel
  private let bug: PlantedBug?
  private var first: UnixSockets?

  init(kernel: SimulatedKernel, bug: PlantedBug?) {
    self.kernel = kernel
    self.bug = bug
  }

  func stopping(_ definition: WorkerDefinition, members: [ProcessIdentifier]) {}

  func boundSockets() -> UnixSockets {
    if self.bug == .keepsOldSockets, let first = self.first { return first }
    var entries: [UnixSocketTable.Entry] = []
    for owner in 0..<Self.workers {
      // Who hides its origin is found at the very end.
      for process in self.kernel.living(of: owner) where process.cookie != nil {
        entries.append(
          UnixSocketTable.Entry(
            inode: UInt32(process.pid.value), name: ByteString("/w\(owner)/\(process.pid)")))
      }
    }
    let sockets = UnixSockets(entries)
    self.first = self.first ?? sockets
    return sockets
  }

  func ended(
    _ definition: WorkerDefinition, others: [WorkerDefinition], bound: UnixSockets
  ) -> [WorkerLeftover] {
    let owner = Int(definition.name.dropFirst())
    // Whoever lives after all is another rule's.
    let living = Set(owner.map { self.kernel.living(of: $0) }?.map { UInt32($0.pid.value) } ?? [])
    if let own = bound.beginning(with: Array("/\(definition.name)/".utf8)).first(where: {
      !living.contains($0.inode)
    }) {
      self.kernel.whenViolated(.ownIsNotLeft, owner, "is said to have left the socket \(own.name)")
    }
    return []
  }

  func finish() -> [WorkerLeftover] { [] }
}
