internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// The ledgers of all masters that share a runtime directory.
package struct LedgerDirectory: Sendable {
  package let path: FilePath

  package init(path: FilePath) {
    self.path = path
  }

  /// The one new masters use, made if need be.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory`.
  package static func own() throws(ProcessError) -> LedgerDirectory {
    LedgerDirectory(path: try RuntimeDirectory.subdirectory("masters"))
  }

  /// A ledger whose master is gone. It stays locked, so that nobody else deals with it meanwhile.
  package struct Abandoned {
    package let file: LockedFile
    package let reading: LedgerText.Reading
  }

  /// What masters of this configuration have left, and what is the matter with what cannot be read.
  /// Drafts nobody is writing any more are removed.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if the directory cannot be listed.
  package func abandoned(
    by name: LedgerName
  ) throws(ProcessError) -> (ledgers: [Abandoned], problems: [String]) {
    var found: [Abandoned] = []
    var problems: [String] = []
    for file in try self.names().filter(name.owns).sorted() {
      let path = self.path.appending(file)
      let locked: LockedFile
      do throws(LockedFile.Obstacle) {
        locked = try LockedFile.open(path, creating: false)
      } catch {
        switch error {
        case .taken, .failed(.noSuchFileOrDirectory): break
        case .failed(let errno): problems.append("\(path) cannot be read: \(errno)")
        }
        continue
      }
      if name.ownsDraft(file) {
        do throws(Errno) {
          try locked.remove()
        } catch {
          problems.append("\(path) cannot be removed: \(error)")
        }
        continue
      }
      do throws(Errno) {
        found.append(
          Abandoned(
            file: locked, reading: LedgerText.parse(try locked.content(limit: LedgerText.largestSize))))
      } catch {
        problems.append("\(path) cannot be read: \(error)")
        locked.close()
      }
    }
    return (found, problems)
  }

  /// Every ledger that can be read, of the living and of the dead, as it is now.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if the directory, or one of them, cannot be read.
  package func ledgers() throws(ProcessError) -> [(path: FilePath, ledger: Ledger)] {
    var found: [(path: FilePath, ledger: Ledger)] = []
    for file in try self.names().filter(LedgerName.isLedger).sorted() {
      let path = self.path.appending(file)
      if let ledger = try LedgerDirectory.read(path) { found.append((path, ledger)) }
    }
    return found
  }

  /// The ledger at the path, as it is now; nil if there is none that can be believed.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if it is there and cannot be read.
  package static func read(_ path: FilePath) throws(ProcessError) -> Ledger? {
    do throws(Errno) {
      // A fifo would keep us waiting, and a link could lead anywhere.
      var status = stat()
      guard lstat(path.string, &status) == 0 else {
        if errno == ENOENT { return nil }
        throw Errno(rawValue: errno)
      }
      guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
        let content = try ProcFile.read(path.string, limit: LedgerText.largestSize)
      else { return nil }
      return LedgerText.parse(content).ledger
    } catch {
      throw ProcessError(.runtimeDirectory, doing: "read \(path)", underlyingError: error)
    }
  }

  /// Those that can be trusted, without making any: the one of new masters, and those of the instances of
  /// a systemd template, which have runtime directories of their own below it.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if they cannot be listed.
  package static func existing() throws(ProcessError) -> [LedgerDirectory] {
    guard let base = RuntimeDirectory.existing() else { return [] }
    let instances = try self.names(in: base).filter { $0 != "masters" }.sorted()
    let places = [base] + instances.map { base.appending($0) }
    return places.map { $0.appending("masters") }.filter(RuntimeDirectory.isTrusted).map {
      LedgerDirectory(path: $0)
    }
  }

  private func names() throws(ProcessError) -> [String] { try Self.names(in: self.path) }

  /// None if there is no such directory.
  private static func names(in path: FilePath) throws(ProcessError) -> [String] {
    guard let stream = opendir(path.string) else {
      if errno == ENOENT { return [] }
      throw ProcessError(.runtimeDirectory, doing: "list \(path)", underlyingError: Errno(rawValue: errno))
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno != 0 else { break }
        throw ProcessError(.runtimeDirectory, doing: "list \(path)", underlyingError: Errno(rawValue: errno))
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
