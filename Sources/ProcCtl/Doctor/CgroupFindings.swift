internal import CProcCtl
internal import Glibc
internal import SystemPackage

/// The control groups this process finds itself among.
package enum CgroupFindings {
  /// - Parameter obstacle: Why none can be made, as ``ContainmentFacts`` says.
  package static func all(obstacle: String?) -> [Finding] {
    let own: FilePath
    do throws(ProcessError) {
      own = try CgroupHierarchy.current().own
    } catch {
      return [Finding(.cgroup, "version 2 tree", .no, error.description)] + self.freezer()
    }
    var findings = [
      Finding(.cgroup, "version 2 tree", .yes, "ours is \(own)"),
      Finding(.cgroup, "cgroups of our own", obstacle: obstacle, otherwise: "made one and removed it"),
    ]
    let kill = own.appending("cgroup.kill").string
    // The root of the tree has no such file; those below it do.
    if access(kill, F_OK) == 0 || obstacle == nil {
      findings.append(Finding(.cgroup, "cgroup.kill", .yes))
    } else {
      findings.append(
        Finding(
          .cgroup, "cgroup.kill", .note,
          "not in \(own), and none can be made below it; Linux 5.14 and later have it, but for the root"))
    }
    let isDelegated = ["user.delegate", "trusted.delegate"].contains { name in
      var value = [UInt8](repeating: 0, count: 8)
      return cprocctl_getxattr(own.string, name, &value, value.count) == 1 && value[0] == UInt8(ascii: "1")
    }
    findings.append(
      Finding(
        .cgroup, "delegated", .note,
        isDelegated ? "by systemd (Delegate=yes)" : "not by systemd, as far as the cgroup says"))
    let typeFile = own.appending("cgroup.type").string
    do throws(Errno) {
      let type = try ProcFile.read(typeFile, limit: 64).map {
        String(decoding: $0.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
      }
      findings.append(
        Finding(.cgroup, "type", .note, type ?? "root of the tree that we see"))
    } catch {
      findings.append(Finding(.cgroup, "type", unreadable: typeFile, error))
    }
    return findings + self.freezer()
  }

  private static func freezer() -> [Finding] {
    let (name, path) = ("version 1 freezer", "/proc/self/cgroup")
    let membership: [UInt8]
    do throws(Errno) {
      membership = try ProcFile.read(path) ?? []
    } catch {
      return [Finding(.cgroup, name, unreadable: path, error)]
    }
    let line = String(decoding: membership, as: UTF8.self).split(separator: "\n").first { line in
      line.split(separator: ":", maxSplits: 2).dropFirst().first?.split(separator: ",").contains("freezer")
        == true
    }
    guard let cgroup = line?.split(separator: ":", maxSplits: 2).last else { return [] }
    return [
      Finding(
        .cgroup, name, .note, "we are in \(cgroup): what it freezes ignores KILL until thawed")
    ]
  }
}
