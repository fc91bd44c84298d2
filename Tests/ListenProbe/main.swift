// Prints what it was handed: "NUMBER NAME CLOEXEC" a line, then whether the
// variables are gone. A program of its own, because the numbers from 3 on are
// fixed and a test process uses them itself.
import CProcCtl
import Glibc
import SystemPackage
import SystemdNotify

do {
  let kept = try ListenDescriptors.inherited(unsetEnvironment: false)
  print("kept \(kept.count) \(getenv("LISTEN_FDS") != nil)")
  for element in try ListenDescriptors.inherited() {
    let flags = cprocctl_fcntl(element.descriptor.rawValue, F_GETFD, 0)
    print("\(element.descriptor.rawValue) \(element.name) \(flags & FD_CLOEXEC != 0)")
  }
  let gone = getenv("LISTEN_FDS") == nil && getenv("LISTEN_PID") == nil && getenv("LISTEN_FDNAMES") == nil
  print("gone \(gone) \(try ListenDescriptors.inherited().count)")
} catch {
  print("error \(error)")
}
