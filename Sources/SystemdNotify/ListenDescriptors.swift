internal import CProcCtl
internal import Glibc
public import SystemPackage

/// The descriptors the service manager handed to us: listening sockets of
/// .socket units, and what an earlier run left in the descriptor store
/// (sd_listen_fds_with_names(3)).
public struct ListenDescriptors: Sendable, RandomAccessCollection {
  /// One descriptor and its name.
  public struct Element: Hashable, Sendable {
    /// The descriptor, close-on-exec, and ours to close.
    public let descriptor: FileDescriptor
    /// FileDescriptorName= of the socket unit, or the name given to the store; else `unknown`.
    public let name: String
  }

  private let elements: [Element]

  /// Takes what was passed to this very process: none if nothing was, or to another one. From now
  /// on they are close-on-exec and ours to close.
  ///
  /// - Parameter unsetEnvironment: Removes `LISTEN_*`, so that no child takes them for its own.
  ///   This changes the environment of the process: call it before there are threads.
  /// - Throws: ``NotificationError`` with code `.environment` if the variables are malformed.
  public static func inherited(unsetEnvironment: Bool = true) throws(NotificationError) -> ListenDescriptors {
    var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    let count = sd_listen_fds_with_names(unsetEnvironment ? 1 : 0, &names)
    guard count >= 0 else {
      throw NotificationError(
        .environment, doing: "LISTEN_PID, LISTEN_FDS or LISTEN_FDNAMES",
        underlyingError: Errno(rawValue: -count))
    }
    var elements: [Element] = []
    for index in 0..<Int(count) {
      let name = names?[index].map { String(cString: $0) } ?? "unknown"
      let descriptor = FileDescriptor(rawValue: SD_LISTEN_FDS_START + Int32(index))
      elements.append(Element(descriptor: descriptor, name: name))
    }
    if let names {
      var index = 0
      while let name = names[index] {
        free(name)
        index += 1
      }
      free(names)
    }
    return ListenDescriptors(elements: elements)
  }

  /// The descriptors of this name, in the order of the unit.
  public func named(_ name: String) -> [FileDescriptor] {
    self.elements.filter { $0.name == name }.map(\.descriptor)
  }

  /// Always 0.
  public var startIndex: Int { self.elements.startIndex }
  /// How many there are.
  public var endIndex: Int { self.elements.endIndex }
  /// The descriptor at the position, in the order they were handed to us.
  public subscript(position: Int) -> Element { self.elements[position] }
}
