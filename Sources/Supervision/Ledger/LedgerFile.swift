internal import CProcCtl
internal import Glibc
package import ProcCtl
package import SystemPackage

/// The ledger of this master, on disk and locked for as long as it lives.
///
/// A line is appended for each start and each end, by one write(2) through a
/// descriptor that stays open, so that rights dropped later do not matter. When
/// the lines outgrow what they say, a fresh file takes the place of the old one.
/// What cannot be written is complained of once and made up for at the next
/// change that can be.
///
/// It is written on the loop's thread, unlike all other files: it has to say who runs before anything else
/// can happen to this process. The runtime directory keeps nobody waiting: it is memory (tmpfs(5)), but for
/// a user who has none, and then the machine's own /tmp. Confined to that thread.
package final class LedgerFile: WorkerLedger {
  private let directory: FilePath
  private let name: LedgerName
  private var file: LockedFile
  private var ledger: Ledger
  /// Lines beyond the shortest text that says the same.
  private var surplus = 0
  private var surplusLimit: Int
  /// A change is not in the file.
  private var isBehind = false
  private var hasComplained = false
  private let complain: (String) -> Void

  /// Fewer lines than this are not worth a new file.
  private static let leastSurplus = 1000

  /// Makes the file, under the first name no other ledger has.
  ///
  /// - Parameter complain: Told once that the ledger cannot be kept.
  /// - Throws: `ProcessError` with code `.runtimeDirectory`.
  package init(
    in directory: FilePath, name: LedgerName, ledger: Ledger, complain: @escaping (String) -> Void
  ) throws(ProcessError) {
    self.directory = directory
    self.name = name
    self.ledger = ledger
    self.complain = complain
    self.surplusLimit = max(Self.leastSurplus, 2 * ledger.entries.count)
    let draft = try Self.draft(in: directory, name: name, ledger: ledger)
    self.file = try Self.publish(draft, in: directory, name: name)
  }

  package var path: FilePath { self.file.path }

  package func started(_ entry: Ledger.Entry) {
    self.ledger.started(entry)
    self.write(LedgerText.started(entry))
  }

  package func ended(worker: String) {
    self.ledger.ended(worker: worker)
    self.write(LedgerText.ended(worker: worker))
  }

  /// All is over and nothing is left: so is the ledger.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if the file is left.
  package func remove() throws(ProcessError) {
    do throws(Errno) {
      try self.file.remove()
    } catch {
      throw ProcessError(.runtimeDirectory, doing: "remove \(self.file.path)", underlyingError: error)
    }
  }

  /// All is over and something is left, for the next start to find.
  package func close() { self.file.close() }

  private func write(_ line: String) {
    if self.isBehind { return self.renew() }
    do throws(Errno) {
      try self.file.append(line)
    } catch {
      self.isBehind = true
      // The whole may be shorter than what is there.
      return self.renew()
    }
    self.surplus += 1
    if self.surplus >= self.surplusLimit { self.renew() }
  }

  /// Writes a fresh file and puts it in the place of the old one. The lock is never let go of.
  private func renew() {
    do throws(ProcessError) {
      let draft = try Self.draft(in: self.directory, name: self.name, ledger: self.ledger)
      let renewed: LockedFile
      do throws(Errno) {
        renewed = try draft.moved(over: self.file.path)
      } catch {
        try? draft.remove()
        throw ProcessError(.runtimeDirectory, doing: "rename \(draft.path)", underlyingError: error)
      }
      self.file.close()
      self.file = renewed
      self.surplus = 0
      self.surplusLimit = max(Self.leastSurplus, 2 * self.ledger.entries.count)
      self.isBehind = false
    } catch {
      // A file that only grows is no trouble yet.
      guard self.isBehind else { return self.surplusLimit *= 2 }
      if !self.hasComplained { self.complain("\(error)") }
      self.hasComplained = true
    }
  }

  private static func draft(
    in directory: FilePath, name: LedgerName, ledger: Ledger
  ) throws(ProcessError) -> LockedFile {
    let path = directory.appending(name.draft(of: getpid()))
    let draft: LockedFile
    do throws(LockedFile.Obstacle) {
      draft = try LockedFile.open(path, creating: true, appends: true)
    } catch {
      let errno: Errno? = if case .failed(let errno) = error { errno } else { .wouldBlock }
      throw ProcessError(.runtimeDirectory, doing: "make \(path)", underlyingError: errno)
    }
    ftruncate(draft.descriptor.rawValue, 0)
    do throws(Errno) {
      try draft.append(LedgerText.whole(ledger))
    } catch {
      try? draft.remove()
      throw ProcessError(.runtimeDirectory, doing: "write \(path)", underlyingError: error)
    }
    return draft
  }

  private static func publish(
    _ draft: LockedFile, in directory: FilePath, name: LedgerName
  ) throws(ProcessError) -> LockedFile {
    var failure = Errno.fileExists
    for number in 1...LedgerName.largestNumber {
      do throws(Errno) {
        return try draft.linked(as: directory.appending(name.file(number: number)))
      } catch {
        failure = error
        if error != .fileExists { break }
      }
    }
    try? draft.remove()
    throw ProcessError(
      .runtimeDirectory, doing: "make \(directory.appending(name.file(number: 1)))", underlyingError: failure)
  }
}
