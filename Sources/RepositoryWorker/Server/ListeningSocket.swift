internal import Glibc
package import SystemPackage

/// Where the server listens.
package enum ListeningSocket: Hashable, Sendable, CustomStringConvertible {
  /// A socket of its own.
  case address(host: String, port: Int)
  /// A listening socket that was handed down and that somebody else owns too.
  case inherited(FileDescriptor)

  package var description: String {
    switch self {
    case .address(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
    case .inherited(let descriptor): "descriptor \(descriptor.rawValue)"
    }
  }

  /// The descriptor handed down by LISTEN_FDS and LISTEN_PID (sd_listen_fds(3)); nil if there is
  /// none for this process.
  ///
  /// - Throws: `WorkerError` when there is more than one, or LISTEN_FDS is no number.
  package static func inherited(
    environment: (String) -> String?, processIdentifier: Int32
  ) throws(WorkerError) -> FileDescriptor? {
    guard let count = environment("LISTEN_FDS"), let owner = environment("LISTEN_PID"),
      Int32(owner) == processIdentifier
    else { return nil }
    guard count == "1" else {
      throw WorkerError("LISTEN_FDS is \"\(count)\"; one socket can be served, so it must be 1")
    }
    return FileDescriptor(rawValue: 3)
  }

  /// Checks that the descriptor is a listening stream socket (socket(7), SO_ACCEPTCONN).
  package static func check(_ descriptor: FileDescriptor) throws(WorkerError) {
    func option(_ name: Int32) throws(WorkerError) -> Int32 {
      var value: Int32 = 0
      var length = socklen_t(MemoryLayout<Int32>.size)
      guard getsockopt(descriptor.rawValue, SOL_SOCKET, name, &value, &length) == 0 else {
        throw WorkerError("descriptor \(descriptor.rawValue) cannot be served: \(Errno(rawValue: errno))")
      }
      return value
    }
    let isStream = try option(SO_TYPE) == Int32(SOCK_STREAM.rawValue)
    let isListening = try option(SO_ACCEPTCONN) != 0
    guard isStream, isListening else {
      throw WorkerError("descriptor \(descriptor.rawValue) is not a listening stream socket")
    }
  }
}

/// The worker cannot do its work; one line says why.
package struct WorkerError: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String

  package init(_ description: String) {
    self.description = description
  }
}
