import ProcCtl
import SystemPackage
import Testing

@Suite struct CgroupHierarchyTests {
  private let unified =
    "24 29 0:22 / /proc rw - proc proc rw\n31 29 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"

  @Test func findsOurPlaceInTheUnifiedTree() {
    let own = CgroupHierarchy(mountinfo: self.unified, membership: "0::/system.slice/procctl.service\n")?.own
    #expect(own == "/sys/fs/cgroup/system.slice/procctl.service")
  }

  @Test func findsTheTreeBesideVersionOneControllers() {
    let mountinfo = """
      40 30 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
      41 30 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
      """
    let membership = "8:pids:/\n4:memory:/some/where\n0::/\n"
    #expect(CgroupHierarchy(mountinfo: mountinfo, membership: membership)?.own == "/sys/fs/cgroup/unified")
  }

  @Test func aMountThatShowsAPartOfTheTree() {
    let mountinfo = "41 30 0:31 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    #expect(
      CgroupHierarchy(mountinfo: mountinfo, membership: "0::/docker/abc/x\n")?.own == "/sys/fs/cgroup/x")
    #expect(CgroupHierarchy(mountinfo: mountinfo, membership: "0::/docker/abcd\n") == nil)
  }

  @Test func pathsWithBlanks() {
    let mountinfo = "41 30 0:31 / /mnt/c\\040group rw - cgroup2 cgroup2 rw\n"
    #expect(CgroupHierarchy(mountinfo: mountinfo, membership: "0::/a\n")?.own == "/mnt/c group/a")
  }

  @Test func noneIsNone() {
    #expect(CgroupHierarchy(mountinfo: self.unified, membership: "4:memory:/x\n") == nil)
    #expect(CgroupHierarchy(mountinfo: "", membership: "0::/\n") == nil)
    #expect(CgroupHierarchy(mountinfo: "garbage - cgroup2\n- cgroup2\n", membership: "0::/\n") == nil)
  }
}
