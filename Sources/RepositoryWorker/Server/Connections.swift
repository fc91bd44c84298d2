internal import NIOCore
internal import Synchronization

/// The open connections of a server, so that they can be ended together.
final class Connections: Sendable {
  private struct State {
    var channels: [ObjectIdentifier: any Channel] = [:]
    /// Told to end: NIO's handler takes that once, and a second time for a mistake.
    var told: Set<ObjectIdentifier> = []
    var isEnding = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  func add(_ channel: any Channel) {
    let id = ObjectIdentifier(channel)
    let isEnding = self.state.withLock { state in
      state.channels[id] = channel
      if state.isEnding { state.told.insert(id) }
      return state.isEnding
    }
    channel.closeFuture.whenComplete { _ in
      let waiters = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
        state.channels[id] = nil
        state.told.remove(id)
        guard state.channels.isEmpty else { return [] }
        defer { state.waiters = [] }
        return state.waiters
      }
      for waiter in waiters { waiter.resume() }
    }
    if isEnding { Connections.end(channel) }
  }

  /// Ends every connection that is idle, and each other one after its current response.
  func endWhenIdle() {
    let channels = self.state.withLock { state in
      state.isEnding = true
      return state.channels.compactMap { id, channel in state.told.insert(id).inserted ? channel : nil }
    }
    for channel in channels { Connections.end(channel) }
  }

  /// Ends every connection and waits until there is none; by force when the task is cancelled.
  func endAll() async {
    self.endWhenIdle()
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isEmpty = self.state.withLock { state in
          if !state.channels.isEmpty { state.waiters.append(continuation) }
          return state.channels.isEmpty
        }
        if isEmpty { continuation.resume() }
      }
    } onCancel: {
      let channels = self.state.withLock { Array($0.channels.values) }
      for channel in channels { channel.close(promise: nil) }
    }
  }

  private static func end(_ channel: any Channel) {
    channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
  }
}
