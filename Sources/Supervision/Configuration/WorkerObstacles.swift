internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

extension WorkerDefinition {
  /// Why it could not start here and now, a line each: accounts, directory and
  /// program are looked up. Elsewhere, or later, they may be there.
  public func obstacles() -> [String] {
    var obstacles: [String] = []
    do throws(ProcessError) {
      _ = try self.childSetup()
    } catch {
      obstacles.append("worker \"\(self.name)\": \(error)")
    }
    if let directory = self.directory, access(directory.string, X_OK) != 0 {
      obstacles.append("worker \"\(self.name)\": directory \(directory): \(Errno(rawValue: errno))")
    }
    if let program = self.arguments().first {
      var command = Command(.name(ByteString(program)))
      for (name, value) in self.variables() {
        command.environment = command.environment.setting(ByteString(name), to: ByteString(value))
      }
      if let error = command.obstacle() { obstacles.append("worker \"\(self.name)\": \(error)") }
    }
    return obstacles
  }
}

extension MasterConfiguration {
  /// Why the master or its workers could not start here and now, a line each.
  public func obstacles() -> [String] {
    var obstacles: [String] = []
    do throws(ProcessError) {
      if self.user != nil { _ = try ChildSetup.Credentials(user: self.user, group: self.group) }
    } catch {
      obstacles.append("[master] user: \(error)")
    }
    if let directory = self.logDirectory, access(directory.string, X_OK) != 0 {
      obstacles.append("[master] log-directory: \(directory): \(Errno(rawValue: errno))")
    }
    return obstacles + self.workers.flatMap { $0.obstacles() }
  }
}
