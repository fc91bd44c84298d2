/// The media types of Accept and Content-Type headers (RFC 9110, 8.3 and 12.5.1).
package enum MediaTypes {
  /// Whether the values of Accept headers admit the type, by itself or by a wildcard.
  package static func accept(_ values: [String], admits type: String) -> Bool {
    let wanted = type.split(separator: "/", maxSplits: 1).map(String.init)
    var best: (precision: Int, isAdmitted: Bool) = (-1, false)
    for range in values.flatMap({ $0.split(separator: ",") }) {
      let parts = range.split(separator: ";").map { MediaTypes.trimmed($0).lowercased() }
      guard let name = parts.first else { continue }
      let precision: Int
      if name == type {
        precision = 2
      } else if name == "\(wanted.first ?? "")/*" {
        precision = 1
      } else if name == "*/*" {
        precision = 0
      } else {
        continue
      }
      // Quality 0 means: anything but that.
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
      if precision > best.precision { best = (precision, quality > 0) }
    }
    return best.isAdmitted
  }

  /// Whether a Content-Type header names JSON in UTF-8.
  package static func isJSON(_ value: String?) -> Bool {
    guard let value else { return false }
    let parts = value.split(separator: ";").map { MediaTypes.trimmed($0).lowercased() }
    guard parts.first == "application/json" else { return false }
    guard let charset = parts.first(where: { $0.hasPrefix("charset=") })?.dropFirst(8) else { return true }
    return charset == "utf-8" || charset == "\"utf-8\""
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
