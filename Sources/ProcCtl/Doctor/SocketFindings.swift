/// Whether the kernel's socket table can be read and acted upon.
package enum SocketFindings {
  package static func all() -> [Finding] {
    [
      Finding(
        .sockets, "sock_diag", obstacle: self.tableObstacle(),
        otherwise: "the kernel's table of sockets over netlink"),
      Finding(
        .sockets, "SOCK_DESTROY", obstacle: SocketDestroyTrial.obstacle(),
        otherwise: "ends connections of others by force"),
    ]
  }

  private static func tableObstacle() -> String? {
    do throws(ProcessError) {
      _ = try SocketTable.read(from: .netlink, ports: [1], states: .listen)
      return nil
    } catch {
      return "\(error); /proc/net/tcp is read instead"
    }
  }
}
