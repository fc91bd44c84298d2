internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// The resources of workers as they are on this machine.
final class LoopResources: WorkerResources {
  let directories: WorkerDirectories
  /// Names of Unix sockets each worker's processes had when it was last being ended.
  private var sockets: [String: [UInt32: ByteString]] = [:]

  init(directories: WorkerDirectories) {
    self.directories = directories
  }

  func stopping(_ definition: WorkerDefinition, members: [ProcessIdentifier]) {
    let bound = self.table()
    let owners = try? SocketOwners.find(Set(bound.map(\.inode)), among: members)
    self.sockets[definition.name] = Dictionary(
      bound.filter { owners?.owners[$0.inode] != nil }.map { ($0.inode, $0.name) },
      uniquingKeysWith: { first, _ in first })
  }

  func ended(_ definition: WorkerDefinition, others: [WorkerDefinition]) -> [WorkerLeftover] {
    var found = self.boundSockets(of: definition)
    self.directories.ended(definition)
    if definition.removesIPC { found += self.removeIPC(of: definition, others: others) }
    return found
  }

  func finish() -> [WorkerLeftover] { self.directories.finish() }

  private func table() -> [UnixSocketTable.Entry] {
    UnixSocketTable.entries(((try? ProcFile.read("/proc/net/unix")) ?? nil) ?? [])
  }

  /// Nobody of the worker is left, so whoever has one of its sockets now has inherited it.
  private func boundSockets(of definition: WorkerDefinition) -> [WorkerLeftover] {
    var known = self.sockets.removeValue(forKey: definition.name) ?? [:]
    let place = self.directories.path(of: definition.name).map { Array("\($0)/".utf8) }
    let bound = self.table()
    for entry in bound {
      if let place, entry.name.bytes.starts(with: place) { known[entry.inode] = entry.name }
    }
    let left = Set(bound.map(\.inode)).intersection(known.keys)
    guard !left.isEmpty else { return [] }
    let owners = try? SocketOwners.findEverywhere(left)
    return left.sorted().map { inode in
      let holders = (owners?.owners[inode] ?? []).map { "pid \($0)" }.joined(separator: ", ")
      return WorkerLeftover(
        worker: definition.name, what: "the socket \((known[inode] ?? "").printable)",
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
