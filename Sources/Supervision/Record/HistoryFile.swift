internal import Glibc
package import ProcCtl
package import SystemPackage

/// The history of a configuration's workers, on disk and locked for as long as its master lives.
///
/// Events are appended as lines by one write(2) each time; when the lines outgrow what is kept, a
/// fresh file takes the place of the old one. What cannot be written is complained of once, and made up
/// for as soon as it can be. Used by one thread at a time.
package final class HistoryFile {
  package private(set) var history: WorkerHistory
  private var file: LockedFile
  private var pending: [UInt8] = []
  private var lines: Int
  /// What is in memory is not all in the file.
  private var isBehind = false
  private var hasComplained = false
  private let complain: (String) -> Void

  /// More than ten thousand workers have.
  package static let largestSize = 256 << 20
  /// Fewer lines than this are not worth a new file.
  private static let leastSurplus = 2000

  package static let ending = ".history"

  package static func name(_ name: LedgerName) -> String { name.file(ending: self.ending) }

  /// Opens the file, with what earlier masters have left in it.
  ///
  /// - Parameter complain: Told once that something cannot be written.
  /// - Throws: `ProcessError` with code `.runtimeDirectory`, also if another master of the configuration has it.
  package init(
    in directory: FilePath, name: LedgerName, complain: @escaping (String) -> Void
  ) throws(ProcessError) {
    let path = directory.appending(Self.name(name))
    do throws(LockedFile.Obstacle) {
      self.file = try LockedFile.open(path, creating: true, appends: true)
    } catch {
      switch error {
      case .taken:
        throw ProcessError(
          .runtimeDirectory, doing: "open \(path), which another master of this configuration has")
      case .failed(let errno):
        throw ProcessError(.runtimeDirectory, doing: "open \(path)", underlyingError: errno)
      }
    }
    do throws(Errno) {
      let content = try self.file.content(limit: Self.largestSize)
      self.history = WorkerHistory(lines: content)
      self.lines = content.count { $0 == UInt8(ascii: "\n") }
      // A crash may have cut a line short, which must not swallow the next.
      self.isBehind = !content.isEmpty && content.last != UInt8(ascii: "\n")
    } catch {
      self.file.close()
      throw ProcessError(.runtimeDirectory, doing: "read \(path)", underlyingError: error)
    }
    self.complain = complain
  }

  /// The history of the configuration's workers, of the directory where it was last written to, and whether the
  /// master that writes it runs; nil if there is none.
  ///
  /// - Throws: `ProcessError` with code `.runtimeDirectory` if one is there and cannot be read.
  package static func newest(
    in directories: [FilePath], name: LedgerName
  ) throws(ProcessError) -> (history: WorkerHistory, masterLives: Bool)? {
    var newest: (history: WorkerHistory, path: FilePath, at: Microseconds)?
    for directory in directories {
      let path = directory.appending(Self.name(name))
      guard let content = try OwnFile.content(of: path, limit: Self.largestSize) else { continue }
      let history = WorkerHistory(lines: content)
      let last = ([""] + history.workers).compactMap { history.events(of: $0).last?.at }.max()
      if let last, newest.map({ $0.at < last }) ?? true { newest = (history, path, last) }
    }
    guard let newest else { return nil }
    return (newest.history, Self.isTaken(newest.path))
  }

  /// Whether a living master has it.
  private static func isTaken(_ path: FilePath) -> Bool {
    do throws(LockedFile.Obstacle) {
      try LockedFile.open(path, creating: false).close()
      return false
    } catch {
      if case .taken = error { return true }
      return false
    }
  }

  package func add(_ event: WorkerEvent) {
    self.history.add(event)
    self.pending += event.line
    self.lines += 1
  }

  package var hasPending: Bool { !self.pending.isEmpty }

  /// Brings what was added into the file.
  package func flush() {
    defer { self.pending.removeAll() }
    guard self.hasPending else { return }
    if self.isBehind || self.lines > 2 * self.history.count + Self.leastSurplus { return self.renew() }
    do throws(Errno) {
      try self.file.append(String(decoding: self.pending, as: UTF8.self))
    } catch {
      self.isBehind = true
      // The whole may be shorter than what is there.
      self.renew()
    }
  }

  package func close() {
    self.flush()
    self.file.close()
  }

  private func renew() {
    let draftPath = FilePath("\(self.file.path.string).\(getpid()).draft")
    do throws(ProcessError) {
      let draft: LockedFile
      do throws(LockedFile.Obstacle) {
        draft = try LockedFile.open(draftPath, creating: true, appends: true)
      } catch {
        let errno: Errno? = if case .failed(let errno) = error { errno } else { .wouldBlock }
        throw ProcessError(.runtimeDirectory, doing: "make \(draftPath)", underlyingError: errno)
      }
      do throws(Errno) {
        ftruncate(draft.descriptor.rawValue, 0)
        try draft.append(String(decoding: self.history.lines, as: UTF8.self))
        let renewed = try draft.moved(over: self.file.path)
        self.file.close()
        self.file = renewed
        self.lines = self.history.count
        self.isBehind = false
      } catch {
        try? draft.remove()
        throw ProcessError(.runtimeDirectory, doing: "write \(draftPath)", underlyingError: error)
      }
    } catch {
      if self.isBehind {
        if !self.hasComplained { self.complain("\(error)") }
        self.hasComplained = true
      } else {
        // A file that only grows is no trouble yet; try the short way.
        do throws(Errno) {
          try self.file.append(String(decoding: self.pending, as: UTF8.self))
        } catch { self.isBehind = true }
      }
    }
  }
}
