import Glibc
import ProcCtl
import SystemPackage
import Testing

@Suite struct CgroupHierarchyTests {
  private func hierarchy(mountinfo: String, membership: String) -> CgroupHierarchy? {
    CgroupHierarchy(mountinfo: mountinfo.utf8, membership: membership.utf8)
  }

  private let unified =
    "24 29 0:22 / /proc rw - proc proc rw\n31 29 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"

  @Test func findsOurPlaceInTheUnifiedTree() {
    let own = hierarchy(mountinfo: self.unified, membership: "0::/system.slice/procctl.service\n")?.own
    #expect(own == "/sys/fs/cgroup/system.slice/procctl.service")
  }

  @Test func findsTheTreeBesideVersionOneControllers() {
    let mountinfo = """
      40 30 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
      41 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
      """
    let membership = "8:pids:/\n4:memory:/some/where\n0::/\n"
    #expect(hierarchy(mountinfo: mountinfo, membership: membership)?.own == "/sys/fs/cgroup/unified")
  }

  @Test func aMountThatShowsAPartOfTheTree() {
    let mountinfo = "41 30 0:31 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    #expect(
      hierarchy(mountinfo: mountinfo, membership: "0::/docker/abc/x\n")?.own == "/sys/fs/cgroup/x")
    #expect(hierarchy(mountinfo: mountinfo, membership: "0::/docker/abcd\n") == nil)
  }

  @Test func pathsWithBlanks() {
    let mountinfo = "41 30 0:31 / /mnt/c\\040group rw - cgroup2 cgroup2 rw\n"
    #expect(hierarchy(mountinfo: mountinfo, membership: "0::/a\n")?.own == "/mnt/c group/a")
  }

  @Test func noneIsNone() {
    #expect(hierarchy(mountinfo: self.unified, membership: "4:memory:/x\n") == nil)
    #expect(hierarchy(mountinfo: "", membership: "0::/\n") == nil)
    #expect(hierarchy(mountinfo: "garbage - cgroup2\n- cgroup2\n", membership: "0::/\n") == nil)
  }

  @Test func namesAreBytes() {
    let own = self.hierarchy(mountinfo: self.unified, membership: "0::/a\r\n")?.own
    #expect(own?.string == "/sys/fs/cgroup/a\r")
    let accent = self.hierarchy(mountinfo: self.unified, membership: "0::/\u{301}a\n")?.own
    #expect(accent?.string == "/sys/fs/cgroup/\u{301}a")
    let other = CgroupHierarchy(mountinfo: self.unified.utf8, membership: Array("0::/".utf8) + [0xFF, 0x0A])
    #expect(other.map { $0.own.withPlatformString { strlen($0) } } == 16)
  }

  @Test func whatIsOutsideOfTheMountIsNotFoundThere() {
    #expect(self.hierarchy(mountinfo: self.unified, membership: "0::/../x\n") == nil)
    let above = "41 30 0:31 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    #expect(self.hierarchy(mountinfo: above, membership: "0::/../x\n")?.own == "/sys/fs/cgroup/x")
  }
}
