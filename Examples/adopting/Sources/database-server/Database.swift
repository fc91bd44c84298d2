import CSQLite

/// Notes in an SQLite file. SQLite takes calls from several threads one after the other by itself.
final class Database: Sendable {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  nonisolated(unsafe) private let connection: OpaquePointer

  init(_ path: String) throws {
    var connection: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX
    guard sqlite3_open_v2(path, &connection, flags, nil) == SQLITE_OK, let connection else {
      let reason = connection.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
      sqlite3_close(connection)
      throw Failure(description: "\(path): \(reason)")
    }
    self.connection = connection
    do {
      try self.run("PRAGMA journal_mode = WAL")
      try self.run("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)")
    } catch {
      sqlite3_close(connection)
      throw error
    }
  }

  func add(_ text: String) throws {
    try self.run("INSERT INTO notes VALUES (?)", text)
  }

  /// Writes what is in the log into the file, removes the log, and closes.
  func close() throws {
    guard sqlite3_close(self.connection) == SQLITE_OK else { throw self.failure }
  }

  private func run(_ statement: String, _ value: String? = nil) throws {
    var prepared: OpaquePointer?
    guard sqlite3_prepare_v2(self.connection, statement, -1, &prepared, nil) == SQLITE_OK else {
      throw self.failure
    }
    defer { sqlite3_finalize(prepared) }
    // SQLITE_TRANSIENT: SQLite makes a copy.
    let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    if let value { sqlite3_bind_text(prepared, 1, value, -1, copied) }
    let result = sqlite3_step(prepared)
    guard result == SQLITE_DONE || result == SQLITE_ROW else { throw self.failure }
  }

  private var failure: Failure { Failure(description: String(cString: sqlite3_errmsg(self.connection))) }
}
