internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import SystemPackage

extension WorkerDefinition {
  /// Why it could not start here and now, a line each: accounts, directory and
  /// program are looked up. Elsewhere, or later, they may be there.
  public func obstacles() -> [String] { self.obstacles(accountAt: nil, of: nil) }

  /// - Parameters:
  ///   - place: Where its account is written.
  ///   - starter: Who starts it; nil leaves aside whether that one may.
  func obstacles(accountAt place: String?, of starter: AccountRights?) -> [String] {
    var obstacles: [String] = []
    let prefix = place.map { "\($0): " } ?? ""
    do throws(ProcessError) {
      if let credentials = try self.childSetup().credentials, let starter {
        let missing = starter.missing(toBecome: credentials)
        if !missing.isEmpty {
          obstacles.append(
            "\(prefix)worker \"\(self.name)\": user \(starter.user), who runs this, cannot start it as user "
              + "\(credentials.user), group \(credentials.group), without \(missing)")
        }
      }
    } catch {
      obstacles.append("\(prefix)worker \"\(self.name)\": \(error)")
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
    // Of a master that becomes somebody else, what its workers need is a need of its own.
    let starter = self.user == nil ? try? AccountRights.own() : nil
    let ofWorkers = self.workers.flatMap {
      $0.obstacles(accountAt: self.accountPlaces.workers[$0.name], of: starter)
    }
    do throws(ProcessError) {
      // A worker's own obstacles are told with it.
      _ = try MasterIdentity.plan(self, for: self.workers.filter { (try? $0.childSetup()) != nil })
    } catch {
      let place = error.operation.hasPrefix(MasterIdentity.key) ? self.accountPlaces.master : nil
      obstacles.append("\(place.map { "\($0): " } ?? "")\(error)")
    }
    if let directory = self.logDirectory, access(directory.string, X_OK) != 0 {
      obstacles.append("[master] log-directory: \(directory): \(Errno(rawValue: errno))")
    }
    return obstacles + ofWorkers
  }
}
