import Glibc
import SystemPackage
import Testing

private final class ThreadWork {
  let run: () -> Void
  init(run: @escaping () -> Void) { self.run = run }
}

/// Runs the body on a thread made for it, which ends with it: for changes that
/// stick to a thread (rights, system call filters) and must not reach other tests.
func onThreadOfItsOwn<Value>(_ body: @escaping () throws -> Value) throws -> Value {
  var result: Result<Value, any Error>?
  let work = ThreadWork { result = Result { try body() } }
  var thread = pthread_t()
  let created = pthread_create(
    &thread, nil,
    { pointer in
      guard let pointer else { return nil }
      Unmanaged<ThreadWork>.fromOpaque(pointer).takeUnretainedValue().run()
      return nil
    }, Unmanaged.passUnretained(work).toOpaque())
  guard created == 0 else { throw Errno(rawValue: created) }
  pthread_join(thread, nil)
  return try #require(result).get()
}

/// Takes from the calling thread the right to look into other users' files and
/// processes: setfsuid(2) is per thread.
func dropFileSystemRights() throws {
  let symbol = try #require(dlsym(nil, "setfsuid"))
  _ = unsafeBitCast(symbol, to: (@convention(c) (uid_t) -> Int32).self)(65534)
}

/// Lets socket(2) fail for netlink on the calling thread (seccomp(2)), as a sandbox does.
func refuseNetlink(with error: Errno) throws {
  #if arch(x86_64)
    let socketCall: UInt32 = 41
  #elseif arch(arm64)
    let socketCall: UInt32 = 198
  #endif
  // One BPF instruction: code, jump if true, jump if false, operand.
  func instruction(_ code: UInt16, _ yes: UInt8, _ no: UInt8, _ operand: UInt32) -> UInt64 {
    UInt64(code) | UInt64(yes) << 16 | UInt64(no) << 24 | UInt64(operand) << 32
  }
  let (load, ifEqual, end): (UInt16, UInt16, UInt16) = (0x20, 0x15, 0x06)
  let allow: UInt32 = 0x7fff_0000
  var program = [
    instruction(load, 0, 0, 0),  // The number of the call.
    instruction(ifEqual, 0, 3, socketCall),
    instruction(load, 0, 0, 16),  // Its first argument.
    instruction(ifEqual, 0, 1, UInt32(AF_NETLINK)),
    instruction(end, 0, 0, 0x0005_0000 | UInt32(error.rawValue)),
    instruction(end, 0, 0, allow),
  ]
  let symbol = try #require(dlsym(nil, "prctl"))
  let prctl = unsafeBitCast(
    symbol, to: (@convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32).self)
  let noNewPrivileges: Int32 = 38
  let setSeccomp: Int32 = 22
  #expect(prctl(noNewPrivileges, 1, 0, 0, 0) == 0)
  try program.withUnsafeMutableBufferPointer { instructions in
    var header = (UInt(instructions.count), UInt(bitPattern: instructions.baseAddress))
    try withUnsafeMutablePointer(to: &header) { pointer in
      guard prctl(setSeccomp, 2, UInt(bitPattern: pointer), 0, 0) == 0 else { throw Errno(rawValue: errno) }
    }
  }
}
