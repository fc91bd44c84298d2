import CProcCtl
import Glibc
import SystemPackage
import SystemdNotify
import Testing

/// Waits for an event on a descriptor; false when the deadline passes first.
func wait(for events: Int32, on descriptor: FileDescriptor, within milliseconds: Int32 = 60_000) -> Bool {
  var entry = pollfd(fd: descriptor.rawValue, events: Int16(events), revents: 0)
  while true {
    let count = poll(&entry, 1, milliseconds)
    if count < 0, errno == EINTR { continue }
    return count > 0
  }
}

/// Receives until this many messages have come, or fails the test at the deadline.
func receive(_ count: Int, from socket: NotifySocket) throws -> [SystemdNotify.Notification] {
  var all: [SystemdNotify.Notification] = []
  while all.count < count {
    try #require(wait(for: POLLIN, on: socket.descriptor), "only \(all.count) of \(count) messages came")
    all += try socket.receive()
  }
  return all
}

func transport(to socket: NotifySocket) throws -> DatagramTransport {
  DatagramTransport(to: try NotifyAddress(environmentValue: socket.environmentValue))
}

/// Runs the body with descriptors that are only the calling thread's from then on (unshare(2)).
func inOwnDescriptorTable(_ body: () throws -> Void) throws {
  let symbol = try #require(dlsym(nil, "unshare"))
  let cloneFiles: Int32 = 0x400
  try #require(unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)(cloneFiles) == 0)
  try body()
}

/// Two connected ends; the second hangs up when the last copy of the first is closed.
func makePair() throws -> (FileDescriptor, FileDescriptor) {
  var ends: [Int32] = [-1, -1]
  try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
  return (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
}
