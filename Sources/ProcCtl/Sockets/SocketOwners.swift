internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// Which processes hold which sockets.
///
/// The kernel has no table of that; the descriptors of every process in
/// question are read from /proc/PID/fd, where a socket shows as
/// `socket:[INODE]` (proc(5)). A child that inherited a socket holds it too.
package struct SocketOwners: Hashable, Sendable {
  /// The holders of each socket, in ascending order; a socket nobody seen holds is absent.
  package var owners: [UInt32: [ProcessIdentifier]] = [:]
  /// Processes whose descriptors we may not read: of other users, unless we are
  /// privileged (ptrace(2), "PTRACE_MODE_READ"). Each may be a holder too.
  package var unreadable: [ProcessIdentifier] = []

  package init(
    owners: [UInt32: [ProcessIdentifier]] = [:], unreadable: [ProcessIdentifier] = []
  ) {
    self.owners = owners
    self.unreadable = unreadable
  }

  /// Looks among the given processes only: a few system calls for each descriptor they have.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if this process runs out of descriptors or memory.
  package static func find(
    _ inodes: Set<UInt32>, among processes: some Sequence<ProcessIdentifier>
  ) throws(ProcessError) -> SocketOwners {
    var found = SocketOwners()
    guard !inodes.isEmpty else { return found }
    for process in Set(processes).sorted() { try found.look(into: process, for: inodes) }
    return found
  }

  /// The sockets any of the given processes holds, of whatever kind, as far as we may read their descriptors.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if this process runs out of descriptors or memory.
  package static func sockets(
    heldBy processes: some Sequence<ProcessIdentifier>
  ) throws(ProcessError) -> Set<UInt32> {
    var found = SocketOwners()
    for process in Set(processes) { try found.look(into: process, for: nil) }
    return Set(found.owners.keys)
  }

  /// Looks among every process of this pid namespace, as far as /proc shows it.
  ///
  /// - Throws: `ProcessError` with code `.inspect` if /proc cannot be read.
  package static func findEverywhere(_ inodes: Set<UInt32>) throws(ProcessError) -> SocketOwners {
    guard !inodes.isEmpty else { return SocketOwners() }
    let processes: [ProcessIdentifier]
    do {
      processes = try ProcDirectory.numericNames(in: "/proc").map { ProcessIdentifier($0) }
    } catch {
      throw ProcessError(.inspect, doing: "read /proc", underlyingError: error)
    }
    guard !processes.isEmpty else {
      throw ProcessError(.inspect, doing: "read /proc: it shows no process, is it mounted?")
    }
    return try Self.find(inodes, among: processes)
  }

  /// - Parameter inodes: nil for all.
  private mutating func look(
    into process: ProcessIdentifier, for inodes: Set<UInt32>?
  ) throws(ProcessError) {
    do {
      var held = try Self.sockets(in: "/proc/\(process)/fd", wanted: inodes)
      // A leader that has ended while threads of it live on shows no
      // descriptors; its threads do.
      if held.entries == 0 {
        for thread in try ProcDirectory.numericNames(in: "/proc/\(process)/task")
        where thread != process.value {
          held.found.formUnion(
            try Self.sockets(in: "/proc/\(process)/task/\(thread)/fd", wanted: inodes).found)
        }
      }
      for inode in held.found { self.owners[inode, default: []].append(process) }
    } catch .permissionDenied, .notPermitted {
      self.unreadable.append(process)
    } catch {
      throw ProcessError(
        .inspect, doing: "read /proc/\(process)/fd", underlyingError: error, processIdentifier: process)
    }
  }

  private static func sockets(
    in directory: String, wanted: Set<UInt32>?
  ) throws(Errno) -> (entries: Int, found: Set<UInt32>) {
    var entries = 0
    var found: Set<UInt32> = []
    var link = [CChar](repeating: 0, count: 64)
    try ProcDirectory.forEachEntry(in: directory) { (entry, directoryDescriptor) throws(Errno) in
      let name = ProcDirectory.name(of: entry)
      guard name != ".", name != ".." else { return }
      entries += 1
      let length = readlinkat(directoryDescriptor, name, &link, link.count)
      // A descriptor closed meanwhile is none.
      guard length > 0 else { return }
      let target = link.prefix(length).map { UInt8(bitPattern: $0) }
      guard let inode = Self.inode(inLink: target) else { return }
      if wanted?.contains(inode) ?? true { found.insert(inode) }
    }
    return (entries, found)
  }

  /// The number in `socket:[NUMBER]`; nil for anything else.
  package static func inode(inLink link: some Collection<UInt8>) -> UInt32? {
    let prefix = Array("socket:[".utf8)
    guard link.starts(with: prefix), link.count > prefix.count + 1 else { return nil }
    let rest = link.dropFirst(prefix.count)
    let digits = rest.dropLast()
    guard rest.dropFirst(digits.count).first == UInt8(ascii: "]"),
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return UInt32(String(decoding: digits, as: UTF8.self))
  }
}
