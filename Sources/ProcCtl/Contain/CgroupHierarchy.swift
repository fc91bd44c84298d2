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
  /// Where the tree is mounted.
  package var mountPoint: FilePath

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
    guard let hierarchy = CgroupHierarchy(mountinfo: mounts, membership: membership)
    else {
      throw ProcessError(.contain, doing: "find a cgroup v2 tree that shows this process")
    }
    return hierarchy
  }

  /// The same; nil if there is no v2 tree here.
  ///
  /// - Throws: `ProcessError` with code `.contain` if that cannot be read.
  package static func ofThisMachine() throws(ProcessError) -> CgroupHierarchy? {
    do throws(ProcessError) {
      return try self.current()
    } catch {
      guard error.underlyingError == nil else { throw error }
      return nil
    }
  }

  /// Names are bytes: what is not UTF-8, and what Swift would count as one character with the
  /// separator in front of it, is a name like any other.
  ///
  /// - Parameters:
  ///   - mountinfo: The text of /proc/self/mountinfo.
  ///   - membership: The text of /proc/self/cgroup.
  package init?(mountinfo: some Collection<UInt8>, membership: some Collection<UInt8>) {
    let prefix = Array("0::/".utf8)
    guard
      let line = Array(membership).split(separator: UInt8(ascii: "\n")).first(where: {
        $0.starts(with: prefix)
      })
    else { return nil }
    guard line.count <= Self.longestPath else { return nil }
    let path = Self.components(of: line.dropFirst(3))
    for mount in Array(mountinfo).split(separator: UInt8(ascii: "\n")) {
      // "36 35 98:0 ROOT MOUNTPOINT options... - cgroup2 source superoptions"
      let fields = mount.split(separator: UInt8(ascii: " "))
      guard fields.count > 4, fields[4].first == UInt8(ascii: "/"), fields[4].count <= Self.longestPath,
        let dash = fields.firstIndex(of: [UInt8(ascii: "-")]), dash + 1 < fields.count,
        fields[dash + 1].elementsEqual("cgroup2".utf8)
      else { continue }
      let root = Self.components(of: Self.unescape(fields[3])[...])
      let below = path.dropFirst(root.count)
      // A path that leads above the root is outside of what is mounted there.
      guard path.starts(with: root), !below.contains([UInt8(ascii: "."), UInt8(ascii: ".")]) else { continue }
      let name = below.joined(separator: [UInt8(ascii: "/")])
      self.mountPoint = Self.path(Self.unescape(fields[4]))
      self.own = self.mountPoint.pushing(Self.path(Array(name)))
      return
    }
    return nil
  }

  /// PATH_MAX. The library takes time by the square of a path's length.
  private static let longestPath = 4096

  private static func components(of path: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    path.split(separator: UInt8(ascii: "/"))
  }

  private static func path(_ bytes: [UInt8]) -> FilePath {
    (bytes + [0]).withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { text in
        text.baseAddress.map { FilePath(platformString: $0) } ?? FilePath()
      }
    }
  }

  /// mountinfo writes blank, tab, newline and backslash as three octal digits.
  private static func unescape(_ field: ArraySlice<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = field
    while let byte = rest.first {
      let digits = rest.dropFirst().prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3,
        digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }),
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      {
        bytes.append(value)
        rest = rest.dropFirst(4)
      } else {
        bytes.append(byte)
        rest = rest.dropFirst()
      }
    }
    return bytes
  }
}
