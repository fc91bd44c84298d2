import Synchronization
import SystemPackage
import SystemdNotify

/// Keeps what was said.
final class RecordingTransport: NotificationTransport {
  private let recorded = Mutex<[(message: String, descriptors: Int)]>([])

  func send(_ message: [UInt8], descriptors: [FileDescriptor]) throws(NotificationError) {
    self.recorded.withLock {
      $0.append((String(decoding: message, as: UTF8.self), descriptors.count))
    }
  }

  var messages: [String] { self.recorded.withLock { $0.map(\.message) } }
  var descriptorCounts: [Int] { self.recorded.withLock { $0.map(\.descriptors) } }
}
