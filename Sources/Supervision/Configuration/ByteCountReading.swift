extension ConfigurationReader {
  /// A number of bytes, or a text with a unit of 1024: `512K`, `10M`, `1G`.
  mutating func byteCount(_ key: String, in table: TOMLNode) -> Int? {
    guard let node = table[key] else { return nil }
    let expectation = "a size such as \"10M\", or 0 for no limit"
    switch node.value {
    case .integer(let number) where number >= 0:
      return number
    case .integer(let number):
      self.report(node.line, "\"\(key)\" must be \(expectation), not \(number)")
    case .string(let text):
      if let count = ByteCount.parse(text) { return count }
      self.report(node.line, "\"\(key)\" must be \(expectation), not \(self.quoted(text))")
    default:
      self.mismatch(key, node, mustBe: expectation)
    }
    return nil
  }

  /// A worker's output must not go to a file of the master's own.
  mutating func refuseTakenLogs(_ configuration: MasterConfiguration, in root: TOMLNode) {
    guard configuration.logDirectory != nil else { return }
    let taken = MasterLogFiles.takenNames
    for worker in configuration.workers where taken.contains(worker.name) {
      let line = root["workers"]?[worker.name]?.line ?? root["repositories"]?.line ?? 1
      self.report(
        line,
        "worker \(self.quoted(worker.name)): \(worker.name).log in \"log-directory\" is the master's own log")
    }
  }
}

/// Sizes as people write them.
enum ByteCount {
  static func parse(_ text: String) -> Int? {
    let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
    let unit = text.last.flatMap { units[$0] }
    let digits = unit == nil ? text[...] : text.dropLast()
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let number = Int(digits)
    else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
    return overflow ? nil : product
  }
}
