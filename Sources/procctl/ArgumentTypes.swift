public import ArgumentParser
public import ProcCtl
internal import Supervision

/// How options are read, and what is said about those that cannot be. The parser
/// puts the option's name in front.
enum OptionText {
  /// 250ms, 10s, 2m; a bare number is seconds.
  static func duration(_ text: String) throws -> Duration {
    do throws(DurationTextError) {
      return try Duration(text: text)
    } catch {
      throw ValidationError("\(error)")
    }
  }

  /// A file, a worker or an account: as it is given, but not nothing, as of a variable that is not set.
  static func name(_ text: String) throws -> String {
    guard !text.isEmpty else { throw ValidationError("it is empty") }
    return text
  }

  static func port(_ text: String) throws -> UInt16 {
    guard let port = UInt16(text), port > 0 else {
      throw ValidationError("\"\(text)\" must be 1 to 65535")
    }
    return port
  }

  /// By name or number.
  static func signal(_ text: String) throws -> Signal {
    if let signal = Signal(name: text) { return signal }
    let known = Signal.all.map { String($0.description.dropFirst(3)) }
    throw ValidationError(
      "unknown signal \"\(text)\"" + self.suggestion(for: text.uppercased(), among: known))
  }

  /// `A:B`: what to send instead of A; `A:` drops A.
  static func signalMapping(_ text: String) throws -> SignalMapping {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { throw ValidationError("\"\(text)\" must be A:B, or A: to drop A") }
    return SignalMapping(
      from: try self.signal(parts[0]), to: parts[1].isEmpty ? nil : try self.signal(parts[1]))
  }

  /// `NAME=VALUE`.
  static func variable(_ text: String) throws -> EnvironmentAssignment {
    guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
      throw ValidationError("\"\(text)\" must be NAME=VALUE")
    }
    return EnvironmentAssignment(
      name: String(text[..<sign]), value: String(text[text.index(after: sign)...]))
  }

  /// `nofile=1024:4096`, `nproc=100`, `core=unlimited`.
  static func limit(_ text: String) throws -> ChildSetup.Limit {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { throw ValidationError("\"\(text)\" must be NAME=SOFT:HARD or NAME=BOTH") }
    guard let resource = Resource(name: parts[0]) else {
      throw ValidationError(
        "unknown limit \"\(parts[0])\"" + self.suggestion(for: parts[0], among: Resource.allNames))
    }
    let values = parts[1].split(separator: ":", omittingEmptySubsequences: false)
    let numbers = try values.map { value -> UInt64? in
      if value == "unlimited" { return nil }
      guard let number = UInt64(value) else {
        throw ValidationError("\"\(value)\" must be a number or \"unlimited\"")
      }
      return number
    }
    guard let soft = numbers.first, let hard = numbers.last, numbers.count <= 2 else {
      throw ValidationError("\"\(text)\" must be NAME=SOFT:HARD or NAME=BOTH")
    }
    return ChildSetup.Limit(resource, soft: soft, hard: hard)
  }

  /// One to four octal digits.
  static func umask(_ text: String) throws -> UInt32 {
    guard let mask = RightsText.umask(text) else {
      throw ValidationError("\"\(text)\" must be \(RightsText.umaskForm)")
    }
    return mask
  }

  static func nice(_ text: String) throws -> Int32 { try self.integer(text, within: RightsText.nice) }

  static func outOfMemoryScore(_ text: String) throws -> Int32 {
    try self.integer(text, within: RightsText.outOfMemoryScore)
  }

  private static func integer(_ text: String, within range: ClosedRange<Int>) throws -> Int32 {
    guard let number = Int(text), range.contains(number) else {
      throw ValidationError("\"\(text)\" must be \(range.lowerBound) to \(range.upperBound)")
    }
    return Int32(number)
  }

  private static func suggestion(for word: String, among candidates: [String]) -> String {
    Spelling.nearest(to: word, among: candidates).map { ", did you mean \"\($0)\"?" } ?? ""
  }
}

struct SignalMapping {
  var from: Signal
  var to: Signal?
}

struct EnvironmentAssignment {
  var name: String
  var value: String
}

extension ContainmentChoice: ExpressibleByArgument {}
