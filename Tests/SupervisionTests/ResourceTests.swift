import Glibc
import ProcCtl
import Supervision
import SystemPackage
import Testing

@Suite struct ResourceTests {
  @Test func columnsOfSystemVAreFoundByTheirHeading() {
    let shm = """
             key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid
               0         32   600                  4096   100   100      0    33    33     0     0
        -1234567         33   600                  4096   100   100      0     0     0    33    33
      broken
      """
    #expect(
      SystemVTable.entries(shm.utf8) == [.init(identifier: 32, uid: 33), .init(identifier: 33, uid: 0)])
    #expect(
      SystemVTable.entries("key semid perms nsems uid\n1 2 600 1 7".utf8) == [.init(identifier: 2, uid: 7)])
    #expect(
      SystemVTable.entries("".utf8).isEmpty && SystemVTable.entries("no such columns\n1 2 3".utf8).isEmpty)
  }

  @Test func boundUnixSocketsHaveNames() {
    let text = """
      Num       RefCount Protocol Flags    Type St Inode Path
      0000000000000000: 00000002 00000000 00010000 0001 01 20001 /run/a socket
      0000000000000000: 00000002 00000000 00010000 0001 01 20002 @abstract
      0000000000000000: 00000003 00000000 00000000 0001 03 20003
      nonsense
      """
    #expect(
      UnixSocketTable.entries(text.utf8) == [
        .init(inode: 20001, name: "/run/a socket"), .init(inode: 20002, name: "@abstract"),
      ])
  }

  @Test func nobodyElsesObjectsAreRemoved() {
    #expect(OwnerRemoval.obstacle(uid: 33, own: 0, othersRunning: [34]) == nil)
    #expect(OwnerRemoval.obstacle(uid: 0, own: 1000, othersRunning: []) != nil)
    #expect(OwnerRemoval.obstacle(uid: 33, own: 33, othersRunning: []) != nil)
    #expect(OwnerRemoval.obstacle(uid: 33, own: 0, othersRunning: [33]) != nil)
  }

  @Test func internalErrorsHaveTheirGravestStatus() {
    var outcome = ShutdownOutcome()
    outcome.failed("one")
    #expect(outcome.exitStatus == 100)
    outcome.failed("two", .abandoned)
    outcome.failed("three", .eventLoop)
    #expect(outcome.exitStatus == 102)
  }

  @Test func removalGoesInSlicesHoweverMuchLiesBeside() throws {
    let parent = FilePath("/tmp/procctl-test-removal-\(UInt64.random(in: .min ... .max))")
    try #require(mkdir(parent.string, 0o700) == 0)
    defer { rmdir(parent.string) }
    let root = parent.appending("tree")
    try #require(mkdir(root.string, 0o700) == 0)
    for directory in 0..<40 {
      try #require(mkdir("\(root)/\(directory)", 0o700) == 0)
      for file in 0..<50 { try #require(mkdir("\(root)/\(directory)/\(file)", 0o700) == 0) }
    }
    let descriptor = try FileDescriptor.open(parent, .readOnly)
    defer { try? descriptor.close() }
    let removal = TreeRemoval(root, in: descriptor, name: "tree")
    // Time is over before it begins: each call does the least it can.
    removal.proceed(until: .now)
    let left = (0..<40).count {
      access("\(root)/\($0)/0", F_OK) == 0 || access("\(root)/\($0)/49", F_OK) == 0
    }
    #expect(!removal.isDone && left >= 39)
    while !removal.isDone { removal.proceed(until: .now) }
    #expect(removal.failure == nil && access(root.string, F_OK) != 0)
  }
}
