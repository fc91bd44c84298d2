internal import CProcCtl
internal import Glibc
public import SystemPackage

/// Whether what we write goes to the journal anyway, which then adds the time
/// itself and understands priorities (systemd.exec(5), JOURNAL_STREAM).
public enum JournalStream {
  /// Whether this descriptor is the stream that systemd connected to the journal for us.
  public static func isConnected(_ descriptor: FileDescriptor) -> Bool {
    guard let value = getenv("JOURNAL_STREAM") else { return false }
    return self.matches(descriptor, value: String(cString: value))
  }

  /// - Parameter value: `DEVICE:INODE`, in decimal.
  package static func matches(_ descriptor: FileDescriptor, value: String) -> Bool {
    let parts = value.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let device = UInt64(parts[0]), let inode = UInt64(parts[1]) else { return false }
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0 else { return false }
    return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
  }
}
