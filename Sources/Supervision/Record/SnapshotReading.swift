internal import ProcCtl

extension SystemSnapshot {
  /// Looks, for a millisecond or two however many workers there are. What cannot be read is absent.
  ///
  /// - Parameter ports: Those of the workers.
  static func current(ports: Set<UInt16>, kernel: any Kernel) -> SystemSnapshot {
    let usage = OwnUsage.current()
    var snapshot = SystemSnapshot()
    snapshot.residentMemory = usage.residentMemory
    snapshot.proportionalMemory = usage.proportionalMemory
    snapshot.threads = usage.threads
    snapshot.descriptors = usage.descriptors
    snapshot.load = usage.load
    if !ports.isEmpty, let established = try? SocketTable.read(ports: ports, states: .established) {
      let counts = Dictionary(grouping: established) { $0.localPort }.mapValues(\.count)
      snapshot.connections = counts.sorted { $0.key < $1.key }.map { .init(port: $0.key, count: $0.value) }
    }
    let children = (try? kernel.children(of: kernel.selfIdentifier)) ?? []
    snapshot.childCount = children.count
    for child in children.prefix(self.mostChildren) {
      guard let status = try? kernel.status(of: child) else { continue }
      snapshot.children.append(
        Child(pid: child.value, state: status.state.description, name: status.name.printable))
    }
    return snapshot
  }
}
