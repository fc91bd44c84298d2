internal import CProcCtl
internal import Glibc
internal import ProcCtl

/// Facts for a status that the kernel has to be asked for. What takes it long is not asked again before a
/// multiple of that time, whoever wants to know.
///
/// Confined to the loop's thread.
final class MasterFigures {
  /// Of the time since an answer, getting the next one takes a twentieth at most.
  private static let restFactor = 20
  private static let shortestRest = Duration.milliseconds(200)

  private struct Kept<Value> {
    var value: Value
    var until: MonotonicInstant
  }

  private let kernel: any Kernel
  private let ports: Set<UInt16>
  private let droppedLines: () -> UInt64
  private var keptClients: Kept<[UInt16: Int]?>?
  private var keptFigures: Kept<MetricsText.Figures>?

  /// - Parameter droppedLines: How many lines of the log nobody took.
  init(kernel: any Kernel, ports: Set<UInt16>, droppedLines: @escaping () -> UInt64) {
    self.kernel = kernel
    self.ports = ports
    self.droppedLines = droppedLines
  }

  /// Connections established on each port that has any; nil if the kernel does not tell.
  var clients: [UInt16: Int]? {
    guard !self.ports.isEmpty else { return [:] }
    return Self.kept(&self.keptClients) {
      guard let table = try? SocketTable.read(ports: self.ports, states: .established) else { return nil }
      return table.reduce(into: [:]) { $0[$1.localPort, default: 0] += 1 }
    }
  }

  var figures: MetricsText.Figures {
    Self.kept(&self.keptFigures) {
      let own = self.kernel.selfIdentifier
      return MetricsText.Figures(
        residentBytes: Self.residentBytes, descriptors: Self.openDescriptors,
        processes: (try? self.kernel.descendants(of: own))?.count, droppedLines: self.droppedLines())
    }
  }

  private static func kept<Value>(_ kept: inout Kept<Value>?, _ value: () -> Value) -> Value {
    let before = MonotonicInstant.now
    if let kept, before < kept.until { return kept.value }
    let new = value()
    let after = MonotonicInstant.now
    kept = Kept(
      value: new,
      until: after.advanced(by: max(before.duration(to: after) * Self.restFactor, Self.shortestRest)))
    return new
  }

  /// The second number of /proc/self/statm, in pages (proc(5)).
  private static var residentBytes: Int? {
    guard let content = try? ProcFile.read("/proc/self/statm", limit: 256) else { return nil }
    let numbers = String(decoding: content, as: UTF8.self).split(separator: " ")
    guard numbers.count > 1, let pages = Int(numbers[1]) else { return nil }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  private static var openDescriptors: Int? {
    guard let stream = opendir("/proc/self/fd") else { return nil }
    defer { closedir(stream) }
    var count = 0
    while let entry = readdir(stream) { if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 } }
    // One of them is this stream's.
    return count - 1
  }
}
