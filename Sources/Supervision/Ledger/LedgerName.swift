internal import CProcCtl
internal import Glibc
package import SystemPackage

/// What the ledgers of one configuration are called: readable, and different
/// for every configuration.
package struct LedgerName: Sendable, Equatable {
  /// The canonical path of the configuration file, or a word for what has none.
  package let configuration: String
  private let stem: String
  private static let suffix = ".ledger"
  /// More masters of one configuration than anybody runs at once.
  package static let largestNumber = 999

  /// - Parameter file: The configuration file; nil for the embedded default and for masters made from code.
  package init(of file: FilePath?) {
    self.init(configuration: file?.string ?? "default")
  }

  package init(configuration: String) {
    self.configuration = configuration
    var readable = ""
    for byte in configuration.utf8.drop(while: { $0 == UInt8(ascii: "/") }) {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"):
        readable.unicodeScalars.append(UnicodeScalar(byte))
      case UInt8(ascii: "/"): readable += "-"
      default: readable += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    // The end of a path says more than its beginning; a name has at most 255 bytes (path_resolution(7)).
    let end = String(readable.suffix(160))
    self.stem = "\(end.hasPrefix(".") ? "_" : "")\(end)-\(Checksum.text(configuration.utf8))"
  }

  /// Where a file really is, whatever links lead to it; the path as it is if that cannot be found out.
  package static func canonical(_ path: FilePath) -> FilePath {
    guard let resolved = realpath(path.string, nil) else { return path }
    defer { free(resolved) }
    return FilePath(platformString: resolved)
  }

  /// The name of the first ledger, the second, and so on.
  package func file(number: Int) -> String {
    number == 1 ? self.stem + Self.suffix : "\(self.stem).\(number)\(Self.suffix)"
  }

  /// Whether a file of that name is, or was going to be, a ledger of this configuration.
  package func owns(_ file: String) -> Bool {
    self.ownsLedger(file) || self.ownsDraft(file)
  }

  package func ownsLedger(_ file: String) -> Bool {
    guard file.hasPrefix(self.stem), file.hasSuffix(Self.suffix) else { return false }
    let middle = file.dropFirst(self.stem.utf8.count).dropLast(Self.suffix.utf8.count)
    if middle.isEmpty { return true }
    guard middle.first == ".", let number = Int(middle.dropFirst()) else { return false }
    return number > 1 && number <= Self.largestNumber && middle == ".\(number)"
  }

  /// A ledger while it is being written, before it gets its name.
  package func draft(of process: Int32) -> String { "\(self.stem).\(process).draft" }

  package func ownsDraft(_ file: String) -> Bool {
    guard file.hasPrefix(self.stem + "."), file.hasSuffix(".draft") else { return false }
    return Int32(file.dropFirst(self.stem.utf8.count + 1).dropLast(6)) != nil
  }

  /// The configuration a file of such a name is about, as far as its name tells; nil for any other file.
  package init?(file: String, ending: String) {
    guard file.hasSuffix(ending), file.utf8.count > ending.utf8.count + 17 else { return nil }
    self.stem = String(file.dropLast(ending.count))
    self.configuration = String(self.stem.dropLast(17))
  }

  /// The name of another file about masters of this configuration.
  package func file(ending: String) -> String { self.stem + ending }

  /// Whether a file of that name is a ledger at all.
  package static func isLedger(_ file: String) -> Bool { file.hasSuffix(self.suffix) }
}
