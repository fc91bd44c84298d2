import GracefulShutdown
import Synchronization

/// What happened, in order, written from any task.
final class Recorder: Sendable {
  private struct State {
    var entries: [String] = []
    var watchers: [(isMet: @Sendable ([String]) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state = Mutex(State())

  var all: [String] { self.state.withLock { $0.entries } }

  func add(_ entry: String) {
    let met = self.state.withLock { state in
      state.entries.append(entry)
      let entries = state.entries
      let met = state.watchers.filter { $0.isMet(entries) }.map(\.continuation)
      state.watchers.removeAll { $0.isMet(entries) }
      return met
    }
    for continuation in met { continuation.resume() }
  }

  /// Returns when what was written meets the condition.
  func until(_ isMet: @escaping @Sendable ([String]) -> Bool) async {
    await withCheckedContinuation { continuation in
      let already = self.state.withLock { state in
        if isMet(state.entries) { return true }
        state.watchers.append((isMet, continuation))
        return false
      }
      if already { continuation.resume() }
    }
  }
}

/// Opens once; everybody who waits goes on then. Takes no notice of cancellation.
final class Gate: Sendable {
  private let state = Mutex<(open: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

  func wait() async {
    await withCheckedContinuation { continuation in
      let open = self.state.withLock { state in
        if !state.open { state.waiters.append(continuation) }
        return state.open
      }
      if open { continuation.resume() }
    }
  }

  func open() {
    let waiters = self.state.withLock { state in
      state.open = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}

struct TestFailure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// A client whose every step is written down and can be made to hang or throw.
struct TestClient: ShutdownClient {
  enum Behaviour: Sendable {
    case orderly, hangsInNotify(Gate), hangsInClose(Gate), throwsInNotify, throwsInClose
  }

  var shutdownName: String
  var behaviour = Behaviour.orderly
  var recorder: Recorder

  func notify(_ reason: ShutdownReason) async throws {
    if case .hangsInNotify(let gate) = self.behaviour { await gate.wait() }
    if case .throwsInNotify = self.behaviour { throw TestFailure("notify broke") }
    self.recorder.add("\(self.shutdownName) notified: \(reason)")
  }

  func close() async throws {
    if case .hangsInClose(let gate) = self.behaviour { await gate.wait() }
    if case .throwsInClose = self.behaviour { throw TestFailure("close broke") }
    self.recorder.add("\(self.shutdownName) closed")
  }

  func abort() { self.recorder.add("\(self.shutdownName) aborted") }
}
