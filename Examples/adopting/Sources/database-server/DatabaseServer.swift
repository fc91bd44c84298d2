import Foundation
import GracefulShutdown
import SystemPackage

/// Keeps notes in a database until it is told to stop, and leaves nothing half done then.
///
///     database-server DIRECTORY
///
/// `add TEXT` stores a note, `slow SECONDS TEXT` takes its time. When it stops it says so in
/// `DIRECTORY/announcements/stopped`; if it cannot, it makes up for that at the next start.
@main struct DatabaseServer {
  static func main() async {
    do {
      try await self.serve(CommandLine.arguments[1])
    } catch {
      print("database-server: \(error)")
      exit(1)
    }
    await ShutdownCoordinator.shared.exitWhenFinished()
  }

  private static func serve(_ directory: String) async throws {
    let letters = DeadLetterFile(FilePath(directory).appending("failed-cleanups"))
    let configuration = try ShutdownConfiguration(environment: ProcessInfo.processInfo.environment)
    let shutdown = try ShutdownCoordinator.bootstrap(configuration, deadLetters: letters)
    try shutdown.listenForSignals()

    let announcement = FilePath(directory).appending("announcements/stopped")
    let announce = { @Sendable (text: String) in
      let file = try FileDescriptor.open(
        announcement, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
      try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }
    letters.handle("announce") { try announce($0) }
    let retried = try await letters.retry()
    print("made up for \(retried.succeeded.count) of \(retried.succeeded.count + retried.failed.count)")

    let database = try await shutdown.openBlockingResource("database") {
      try Database("\(directory)/notes.db")
    } close: {
      try $0.close()
    }
    let pid = ProcessInfo.processInfo.processIdentifier
    let retry = CleanupRetry(handler: "announce", payload: "\(pid) stopped")
    try shutdown.addBlockingCleanup("announce", retry: retry) { try announce("\(pid) stopped") }
    let listener = try Listener()
    try shutdown.addBlockingCleanup("listener") { try listener.close() }
    try shutdown.addFlush("standard output") { fflush(nil) }

    listener.forEachConnection { connection in
      do {
        let client = try DescriptorClient(connection.descriptor, name: "a connection")
        let registration = try shutdown.register(client)
        connection.forEachLine { line in
          Task { connection.send(await self.answer(line, connection, database)) }
        } end: {
          registration.remove()
          // While it stops the client is waited for on this descriptor, and the exit closes it.
          if !shutdown.isShuttingDown { try? connection.descriptor.close() }
        }
      } catch {
        connection.send("refused: \(error)")
        try? connection.descriptor.close()
      }
    }
    print("listening on \(listener.port)")
    fflush(nil)
  }

  private static func answer(
    _ line: String, _ connection: Connection, _ database: ShutdownResource<Database>
  ) async -> String {
    do {
      return try await ShutdownCoordinator.shared.withRequest(line) {
        let words = line.split(separator: " ", maxSplits: 2)
        if words.count == 3, words[0] == "slow", let seconds = Int(words[1]) {
          connection.send("accepted")
          try await Task.sleep(for: .seconds(seconds))
        }
        try database.use { try $0.add(line) }
        return "stored \(line)"
      }
    } catch {
      return "not stored \(line): \(error)"
    }
  }
}
