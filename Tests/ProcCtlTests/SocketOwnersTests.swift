import Glibc
import ProcCtl
import SystemPackage
import Testing

@Suite("The holders of sockets", .serialized)
struct SocketOwnersTests {
  private static let me = ProcessIdentifier(getpid())

  @Test("finds this process, among those given and among all")
  func own() throws {
    let socket = try TestSocket(bindTo: .loopbackV4)
    let inode = socket.inode
    #expect(try SocketOwners.find([inode], among: [Self.me]).owners == [inode: [Self.me]])
    // Children that other tests are spawning may hold it too, until their exec.
    #expect(try SocketOwners.findEverywhere([inode]).owners[inode]?.contains(Self.me) == true)
    socket.close()
    #expect(try SocketOwners.find([inode], among: [Self.me]).owners.isEmpty)
  }

  @Test("finds a child that inherited the socket, also once it alone has it")
  func inherited() throws {
    let socket = try TestSocket(bindTo: .loopbackV4)
    let inode = socket.inode
    let child = try SocketHolderProcess(holding: socket)
    let childPid = ProcessIdentifier(child.pid)
    let both = try SocketOwners.findEverywhere([inode]).owners[inode]
    #expect(Set(both ?? []).isSuperset(of: [Self.me, childPid]))
    socket.letGo()
    let one = try #require(try SocketOwners.findEverywhere([inode]).owners[inode])
    #expect(one.contains(childPid))
    #expect(!one.contains(Self.me))
    #expect(try SocketOwners.find([inode], among: [Self.me]).owners.isEmpty)
  }

  @Test("a process that is gone holds nothing and is not counted as unreadable")
  func gone() throws {
    let socket = try TestSocket(bindTo: .loopbackV4)
    let pid: ProcessIdentifier
    do {
      let child = try SocketHolderProcess(holding: socket)
      pid = ProcessIdentifier(child.pid)
    }
    let found = try SocketOwners.find([socket.inode], among: [pid])
    #expect(found == SocketOwners())
  }

  @Test("counts the processes it may not look into")
  func unreadable() throws {
    let socket = try TestSocket(bindTo: .loopbackV4)
    let inode = socket.inode
    if getuid() == 0 {
      #expect(try SocketOwners.find([inode], among: [ProcessIdentifier(1)]).unreadable.isEmpty)
    }
    let found = try onThreadOfItsOwn {
      try dropFileSystemRights()
      return try SocketOwners.find([inode], among: [ProcessIdentifier(1), Self.me])
    }
    #expect(found.unreadable == [ProcessIdentifier(1)])
    #expect(found.owners == [inode: [Self.me]])
  }

  @Test(
    "reads the link of a socket and of nothing else",
    arguments: [
      ("socket:[123]", 123), ("socket:[]", nil), ("socket:[12", nil), ("socket:[1x]", nil),
      ("pipe:[123]", nil),
      ("socket:[-1]", nil), ("socket:[99999999999]", nil), ("/tmp/socket:[1]", nil), ("", nil),
    ] as [(String, UInt32?)])
  func links(link: String, inode: UInt32?) {
    #expect(SocketOwners.inode(inLink: Array(link.utf8)) == inode)
  }
}
