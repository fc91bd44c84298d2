internal import FoundationEssentials
internal import ProcCtl

/// One JSON value on one line of a descriptor.
enum JSONLine {
  static func write(_ value: some Encodable, to descriptor: Int32) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { return }
    Message.write(String(decoding: data, as: UTF8.self) + "\n", to: descriptor)
  }
}

/// A process as our JSON shows it.
struct ProcessRecord: Encodable {
  var pid: Int32
  var start_time: UInt64
  var name: String
  var state: String
  var wait_channel: String?
  var refusal: String?
  var hindrance: String?
  var reason: String?

  init(_ process: ProcessStatus) {
    self.pid = process.processIdentifier.value
    self.start_time = process.identity.startTime
    self.name = process.name.printable
    self.state = process.state.description
  }

  init(_ survivor: Survivor) {
    self.init(survivor.process)
    self.wait_channel = survivor.waitChannel
    self.refusal = survivor.refusal
    self.hindrance = survivor.hindrance
  }
}

extension Duration {
  var inSeconds: Double { self / .seconds(1) }
}
