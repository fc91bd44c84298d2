import Foundation
import GracefulShutdown
import Synchronization
import SystemPackage
import TemporaryFiles
import Testing

@Suite(.timeLimit(.minutes(1))) struct DeadLetterTests {
  let recorder = Recorder()

  private func text(_ path: FilePath) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: path.string)), as: UTF8.self)
  }

  private func append(_ text: String, to path: FilePath) throws {
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path.string))
    try file.seekToEnd()
    try file.write(contentsOf: Data(text.utf8))
    try file.close()
  }

  private func letter(_ cleanup: String, payload: String = "p") -> DeadLetter {
    DeadLetter(cleanup: cleanup, handler: "handler", payload: payload, failure: "no route")
  }

  @Test func aFailedCleanupIsKeptAndMadeUpForAtTheNextStart() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory.appending("letters")
      let recorder = self.recorder
      let first = ShutdownCoordinator(logger: .silent, deadLetters: DeadLetterFile(path))
      try first.addCleanup("fine", retry: CleanupRetry(handler: "h", payload: "unused")) {}
      try first.addCleanup("leave", retry: CleanupRetry(handler: "leave", payload: "node \"7\"\n")) {
        throw TestFailure("no route")
      }
      first.initiate(reason: "test")
      let report = await first.report
      #expect(report.deadLetters == 1)
      #expect(report.failures.map(\.detail) == ["no route"])

      let next = DeadLetterFile(path)
      let kept = try #require(try next.letters().first)
      #expect(kept.cleanup == "leave")
      #expect(kept.handler == "leave")
      #expect(kept.payload == "node \"7\"\n")
      #expect(kept.failure == "no route")
      #expect(kept.attempts == 1)
      #expect(kept.shutdown == first.identifier)
      #expect(kept.failedAt.hasPrefix("20") && kept.failedAt.hasSuffix("Z"))
      next.handle("leave") {
        recorder.add($0)
        if recorder.all.count == 1 { throw TestFailure("still no route") }
      }
      let failed = try await next.retry()
      #expect(failed.succeeded.isEmpty)
      #expect(failed.failed.map(\.attempts) == [2])
      #expect(try next.letters() == failed.failed)
      #expect(try next.letters().map(\.failure) == ["still no route"])
      let succeeded = try await next.retry()
      #expect(succeeded.succeeded.map(\.id) == [kept.id])
      #expect(recorder.all == ["node \"7\"\n", "node \"7\"\n"])
      #expect(TemporaryDirectory.names(in: directory) == ["letters.lock"])
      let nothing = try await next.retry()
      #expect(nothing.succeeded.isEmpty && nothing.failed.isEmpty && nothing.unhandled.isEmpty)
    }
  }

  @Test func theFileIsPrivateAndAppendedTo() async throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("letters")
      let file = DeadLetterFile(path)
      let letters = (1...3).map { self.letter("cleanup \($0)") }
      for letter in letters { try file.append(letter) }
      #expect(try file.letters() == letters)
      let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path.string)
      try file.remove(letters[1].id)
      #expect(try file.letters() == [letters[0], letters[2]])
      let after = try FileManager.default.attributesOfItem(atPath: path.string)
      #expect(after[.posixPermissions] as? Int == 0o600)
      #expect(try self.text(path).split(separator: "\n").count == 2)
      #expect(TemporaryDirectory.names(in: directory) == ["letters"])
    }
  }

  @Test func aTornLineIsSkippedAndDoesNotSpoilTheNext() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory.appending("letters")
      let file = DeadLetterFile(path)
      try file.append(self.letter("one"))
      let whole = try self.text(path)
      try self.append(String(whole.dropLast(20)), to: path)
      #expect(try file.letters().map(\.cleanup) == ["one"])
      try file.append(self.letter("two"))
      #expect(try file.letters().map(\.cleanup) == ["one", "two"])
      file.handle("handler") { _ in }
      let retried = try await file.retry()
      #expect(retried.damagedLines == 1)
      #expect(retried.succeeded.map(\.cleanup) == ["one", "two"])
    }
  }

  @Test func itsSizeIsBounded() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory.appending("letters")
      let file = DeadLetterFile(path, limit: 1000)
      try file.append(self.letter("fits", payload: String(repeating: "x", count: 500)))
      let before = try self.text(path)
      let error = #expect(throws: DeadLetterError.self) {
        try file.append(self.letter("does not", payload: String(repeating: "x", count: 500)))
      }
      #expect(error?.code == .full)
      #expect(try self.text(path) == before)

      let coordinator = ShutdownCoordinator(logger: .silent, deadLetters: file)
      let payload = String(repeating: "y", count: 500)
      try coordinator.addCleanup("big", retry: CleanupRetry(handler: "h", payload: payload)) {
        throw TestFailure("no route")
      }
      coordinator.initiate(reason: "test")
      let report = await coordinator.report
      #expect(report.deadLetters == 0)
      #expect(
        report.failures.map(\.detail) == [
          "no route; not kept: \(path) would have more than 1000 bytes"
        ])
    }
  }

  @Test func whatHasNoHandlerStaysAsItIs() async throws {
    try await withTemporaryDirectory { directory in
      let file = DeadLetterFile(directory.appending("letters"))
      let letter = self.letter("one")
      try file.append(letter)
      #expect(try await file.retry().unhandled == [letter])
      #expect(try file.letters() == [letter])
    }
  }

  @Test func aHandlerThatHangsIsAFailure() async throws {
    try await withTemporaryDirectory { directory in
      let file = DeadLetterFile(directory.appending("letters"))
      let gate = Gate()
      try file.append(self.letter("one"))
      file.handle("handler") { _ in await gate.wait() }
      let retried = try await file.retry(timeout: .milliseconds(300))
      #expect(retried.failed.map(\.failure) == ["not done after 0.300 s"])
      gate.open()
    }
  }

  @Test func onlyOneTriesAtATime() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory.appending("letters")
      let file = DeadLetterFile(path)
      let gate = Gate()
      let recorder = self.recorder
      try file.append(self.letter("one"))
      file.handle("handler") { _ in
        recorder.add("begun")
        await gate.wait()
      }
      let first = Task { try await file.retry(timeout: .seconds(600)) }
      await recorder.until { $0 == ["begun"] }
      // Another instance, as another process would have.
      let error = await #expect(throws: DeadLetterError.self) { try await DeadLetterFile(path).retry() }
      #expect(error?.code == .busy)
      gate.open()
      #expect(try await first.value.succeeded.map(\.cleanup) == ["one"])
      // The control: now it may.
      #expect(try await DeadLetterFile(path).retry().failed.isEmpty)
    }
  }

  /// As a child of this program has it between its fork and its exec.
  @Test func whoHasInheritedTheLockDoesNotKeepIt() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory.appending("letters")
      let file = DeadLetterFile(path)
      let inherited = Mutex<[FileDescriptor]>([])
      try file.append(self.letter("one"))
      file.handle("handler") { _ in
        for number in TemporaryDirectory.names(in: "/proc/self/fd").compactMap({ Int32($0) }) {
          var buffer = [CChar](repeating: 0, count: 4096)
          let count = readlink("/proc/self/fd/\(number)", &buffer, buffer.count)
          let target = String(
            decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
          guard target == "\(path).lock" else { continue }
          let copy = try FileDescriptor(rawValue: number).duplicate()
          inherited.withLock { $0.append(copy) }
        }
      }
      #expect(try await file.retry().succeeded.count == 1)
      #expect(inherited.withLock { !$0.isEmpty })
      try file.append(self.letter("two"))
      #expect(try await file.retry().succeeded.map(\.cleanup) == ["two"])
      for descriptor in inherited.withLock({ $0 }) { try descriptor.close() }
    }
  }

  @Test func manyAppendWhileOthersChangeIt() async throws {
    try await withTemporaryDirectory { directory in
      let path = directory.appending("letters")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<4 {
          group.addTask {
            let file = DeadLetterFile(path)
            for number in 0..<15 {
              let letter = self.letter("\(writer) \(number)")
              try file.append(letter)
              // Every third is given up again, by a replaced file.
              if number % 3 == 0 { try file.remove(letter.id) }
            }
          }
        }
        try await group.waitForAll()
      }
      let letters = try DeadLetterFile(path).letters()
      #expect(letters.count == 40)
      #expect(Set(letters.map(\.cleanup)).count == 40)
    }
  }

  @Test func whatIsNoFileOfLettersIsRefused() async throws {
    try withTemporaryDirectory { directory in
      let link = directory.appending("link")
      symlink("/dev/null", link.string)
      #expect(throws: DeadLetterError.self) { try DeadLetterFile(link).append(self.letter("one")) }
      let fifo = directory.appending("fifo")
      mkfifo(fifo.string, 0o600)
      let error = #expect(throws: DeadLetterError.self) {
        try DeadLetterFile(fifo).append(self.letter("one"))
      }
      #expect(error?.code == .notThisFile)
      #expect(throws: DeadLetterError.self) {
        try DeadLetterFile(directory.appending("no/such")).append(self.letter("one"))
      }
      let none = try DeadLetterFile(directory.appending("none")).letters()
      #expect(none.isEmpty)
    }
  }

  @Test func withoutAFileAFailureSaysSo() async throws {
    let coordinator = ShutdownCoordinator(logger: .silent)
    try coordinator.addCleanup("leave", retry: CleanupRetry(handler: "h", payload: "p")) {
      throw TestFailure("no route")
    }
    coordinator.initiate(reason: "test")
    #expect(
      await coordinator.report.failures.map(\.detail) == ["no route; not kept: there is no file for it"])
  }
}
