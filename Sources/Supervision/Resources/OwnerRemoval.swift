internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

/// Removes what belongs to a user and to no process: System V shared memory, semaphores and message
/// queues, POSIX shared memory and semaphores (/dev/shm, shm_overview(7)) and message queues
/// (/dev/mqueue, mq_overview(7)).
package enum OwnerRemoval {
  /// Whether everything a user owns may be removed. A value: who asks, and who else there is.
  package static func obstacle(uid: UInt32, own: UInt32, othersRunning: [UInt32]) -> String? {
    if uid == 0 { return "its user is root" }
    if uid == own { return "its user is procctl's own" }
    if othersRunning.contains(uid) { return "another worker of this user runs" }
    return nil
  }

  /// Something that was found.
  package struct Found: Sendable, Hashable {
    package var what: String
    /// Why it is still there; nil if it was removed.
    package var failure: String?
  }

  package static func removeAll(of uid: UInt32) -> [Found] {
    var found: [Found] = []
    let kinds: [(file: String, what: String, remove: (Int32) -> Int32)] = [
      ("shm", "shared memory", cprocctl_remove_shared_memory),
      ("sem", "semaphores", cprocctl_remove_semaphores),
      ("msg", "message queue", cprocctl_remove_message_queue),
    ]
    for kind in kinds {
      // Nothing is there where the kernel has no System V objects.
      let text: [UInt8]
      do throws(Errno) {
        text = try ProcFile.read("/proc/sysvipc/\(kind.file)") ?? []
      } catch {
        found.append(Found(what: "System V \(kind.what)", failure: "\(error)"))
        continue
      }
      for entry in SystemVTable.entries(text) where entry.uid == uid {
        let isGone = kind.remove(entry.identifier) == 0 || errno == EINVAL || errno == EIDRM
        found.append(
          Found(
            what: "System V \(kind.what) \(entry.identifier)",
            failure: isGone ? nil : "\(Errno(rawValue: errno))"))
      }
    }
    return found + Self.removeFiles(of: uid, in: "/dev/shm") + Self.removeFiles(of: uid, in: "/dev/mqueue")
  }

  /// Directories there are nobody's shared memory.
  private static func removeFiles(of uid: UInt32, in directory: String) -> [Found] {
    guard let stream = opendir(directory) else {
      return errno == ENOENT ? [] : [Found(what: directory, failure: "\(Errno(rawValue: errno))")]
    }
    defer { closedir(stream) }
    var found: [Found] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
      }
      var status = stat()
      guard fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_uid == uid,
        status.st_mode & S_IFMT != S_IFDIR
      else { continue }
      let isGone = unlinkat(dirfd(stream), name, 0) == 0 || errno == ENOENT
      let shown = ByteString(bytes: name.dropLast().map { UInt8(bitPattern: $0) }).printable
      found.append(
        Found(what: "\(directory)/\(shown)", failure: isGone ? nil : "\(Errno(rawValue: errno))"))
    }
    return found
  }
}
