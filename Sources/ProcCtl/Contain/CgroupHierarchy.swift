internal import CProcCtl
internal import Glibc
package import SystemPackage

/// Where the cgroup v2 tree is mounted and where in it this process is.
///
/// v1 controllers may be mounted beside it, so the mount is looked up in
/// /proc/self/mountinfo (proc(5)) and never assumed to be /sys/fs/cgroup.
package struct CgroupHierarchy: Sendable, Equatable {
  /// The directory of this process's own cgroup.
  package var own: FilePath

  /// - Throws: `ProcessError` with code `.contain` if there is no v2 tree here.
  package static func current() throws(ProcessError) -> CgroupHierarchy {
    let mounts: [UInt8]
    let membership: [UInt8]
    do throws(Errno) {
      mounts = try ProcFile.read("/proc/self/mountinfo") ?? []
      membership = try ProcFile.read("/proc/self/cgroup") ?? []
    } catch {
      throw ProcessError(.contain, doing: "read /proc/self/mountinfo and cgroup", underlyingError: error)
    }
    guard
      let hierarchy = CgroupHierarchy(
        mountinfo: String(decoding: mounts, as: UTF8.self),
        membership: String(decoding: membership, as: UTF8.self))
    else {
      throw ProcessError(.contain, doing: "find a cgroup v2 tree that shows this process")
    }
    return hierarchy
  }

  /// - Parameters:
  ///   - mountinfo: The text of /proc/self/mountinfo.
  ///   - membership: The text of /proc/self/cgroup.
  package init?(mountinfo: String, membership: String) {
    guard let line = membership.split(separator: "\n").first(where: { $0.hasPrefix("0::") }) else {
      return nil
    }
    let path = String(line.dropFirst(3))
    for mount in mountinfo.split(separator: "\n") {
      // "36 35 98:0 ROOT MOUNTPOINT options... - cgroup2 source superoptions"
      let fields = mount.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count, fields[dash + 1] == "cgroup2",
        fields.count > 4
      else { continue }
      let root = CgroupHierarchy.unescape(fields[3])
      let mountPoint = CgroupHierarchy.unescape(fields[4])
      if path == root || root == "/" {
        self.own = FilePath(mountPoint).pushing(FilePath(root == "/" ? String(path.drop { $0 == "/" }) : ""))
        return
      }
      if path.hasPrefix(root + "/") {
        self.own = FilePath(mountPoint).pushing(FilePath(String(path.dropFirst(root.count + 1))))
        return
      }
    }
    return nil
  }

  /// mountinfo writes blank, tab, newline and backslash as three octal digits.
  private static func unescape(_ field: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = field.utf8[...]
    while let byte = rest.first {
      let digits = rest.dropFirst().prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3,
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      {
        bytes.append(value)
        rest = rest.dropFirst(4)
      } else {
        bytes.append(byte)
        rest = rest.dropFirst()
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
