internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// Accepts connections, and never holds more than so many: whoever has been silent longest makes room.
///
/// Confined to the loop's thread.
package final class StreamListener {
  private static let acceptsPerWakeUp = 16
  /// How long to rest where the process or the machine has no descriptor left.
  private static let rest = Duration.milliseconds(500)

  private let loop: EventLoop
  private let socket: ListeningSocket
  private let limit: Int
  private let accepted: (FileDescriptor) -> StreamConnection?
  /// The first has been silent longest.
  private var connections: [StreamConnection] = []
  private var isOpen = false
  private var restTimer: TimerIdentifier?

  /// - Parameters:
  ///   - limit: How many connections to hold at most.
  ///   - accepted: Makes a connection of a descriptor, or closes it.
  package init(
    _ socket: ListeningSocket, on loop: EventLoop, limit: Int,
    accepted: @escaping (FileDescriptor) -> StreamConnection?
  ) {
    self.socket = socket
    self.loop = loop
    self.limit = limit
    self.accepted = accepted
  }

  package var address: SocketAddress { self.socket.address }
  package var count: Int { self.connections.count }

  /// - Throws: `ProcessError` with code `.eventLoop`.
  package func start() throws(ProcessError) {
    self.isOpen = true
    try self.watch()
  }

  /// Ends the listening and every connection; a Unix socket's file is removed.
  package func close() {
    self.isOpen = false
    if let timer = self.restTimer { self.loop.cancel(timer) }
    self.restTimer = nil
    self.loop.unwatch(self.socket.descriptor)
    self.socket.close()
    for connection in self.connections { connection.abort() }
    self.connections = []
  }

  /// The connection has said something sensible: others go first.
  package func used(_ connection: StreamConnection) {
    guard let index = self.connections.firstIndex(where: { $0 === connection }) else { return }
    self.connections.remove(at: index)
    self.connections.append(connection)
  }

  /// To be called when a connection is closed.
  package func forget(_ connection: StreamConnection) {
    self.connections.removeAll { $0 === connection }
  }

  private func watch() throws(ProcessError) {
    try self.loop.watch(self.socket.descriptor, for: .readable) { [weak self] _ in self?.accept() }
  }

  private func accept() {
    for _ in 0..<Self.acceptsPerWakeUp {
      let number = cprocctl_accept(self.socket.descriptor.rawValue)
      if number < 0 {
        switch errno {
        case EAGAIN: return
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return self.makeRoom()
        // Who wanted to connect has given up, or its network has (accept(2)).
        default: continue
        }
      }
      guard let connection = self.accepted(FileDescriptor(rawValue: number)) else { continue }
      // Gone before it was known here, it would never be forgotten.
      if connection.isClosed { continue }
      self.connections.append(connection)
      if self.connections.count > self.limit { self.connections.first?.abort() }
    }
  }

  /// Descriptors are needed for workers first.
  private func makeRoom() {
    self.connections.first?.abort()
    self.loop.unwatch(self.socket.descriptor)
    self.restTimer = self.loop.schedule(at: self.loop.now.advanced(by: Self.rest)) { [weak self] in
      guard let self, self.isOpen else { return }
      self.restTimer = nil
      do throws(ProcessError) {
        try self.watch()
      } catch {
        self.makeRoom()
      }
    }
  }
}
