internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// The resources of workers as they are on this machine.
final class LoopResources: WorkerResources {
  let directories: WorkerDirectories
  /// The sockets each worker's processes had when it was last being ended, bound or not.
  private var sockets: [String: Set<UInt32>] = [:]

  init(directories: WorkerDirectories) {
    self.directories = directories
  }

  func stopping(_ definition: WorkerDefinition, members: [ProcessIdentifier]) {
    self.sockets[definition.name] = try? SocketOwners.sockets(heldBy: members)
  }

  func boundSockets() -> UnixSockets {
    UnixSockets(UnixSocketTable.entries(((try? ProcFile.read("/proc/net/unix")) ?? nil) ?? []))
  }

  func ended(
    _ definition: WorkerDefinition, others: [WorkerDefinition], bound: UnixSockets
  ) -> [WorkerLeftover] {
    var found = self.leftSockets(of: definition, among: bound)
    self.directories.ended(definition)
    if definition.removesIPC { found += self.removeIPC(of: definition, others: others) }
    return found
  }

  func finish() -> [WorkerLeftover] { self.directories.finish() }

  /// Nobody of the worker is left, so whoever has one of its sockets now has inherited it.
  private func leftSockets(of definition: WorkerDefinition, among bound: UnixSockets) -> [WorkerLeftover] {
    var left: [UInt32: ByteString] = [:]
    for inode in self.sockets.removeValue(forKey: definition.name) ?? [] {
      left[inode] = bound.name(of: inode)
    }
    if let place = self.directories.path(of: definition.name) {
      for entry in bound.beginning(with: Array("\(place)/".utf8)) { left[entry.inode] = entry.name }
    }
    guard !left.isEmpty else { return [] }
    let owners = try? SocketOwners.findEverywhere(Set(left.keys))
    return left.sorted { $0.key < $1.key }.map { inode, name in
      let holders = (owners?.owners[inode] ?? []).map { "pid \($0)" }.joined(separator: ", ")
      return WorkerLeftover(
        worker: definition.name, what: "the socket \(name.printable)",
        failure: "held by \(holders.isEmpty ? "an unknown process" : holders)")
    }
  }

  private func removeIPC(of definition: WorkerDefinition, others: [WorkerDefinition]) -> [WorkerLeftover] {
    let uid: UInt32
    do throws(ProcessError) {
      guard let credentials = try definition.credentials() else { return [] }
      uid = credentials.user
    } catch {
      return [WorkerLeftover(worker: definition.name, what: "objects of its user", failure: "\(error)")]
    }
    // By who it is, not by worker: a thousand of one user are one question.
    let accounts = Dictionary(others.map { ([$0.user, $0.group], $0) }) { first, _ in first }
    let users = accounts.values.map { other in ((try? other.credentials()) ?? nil)?.user ?? geteuid() }
    guard OwnerRemoval.obstacle(uid: uid, own: geteuid(), othersRunning: users) == nil else { return [] }
    return OwnerRemoval.removeAll(of: uid).map {
      WorkerLeftover(worker: definition.name, what: $0.what, failure: $0.failure)
    }
  }
}
