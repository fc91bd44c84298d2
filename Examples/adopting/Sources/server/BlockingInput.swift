import Dispatch

/// Stands in for a network.
enum BlockingInput {
  /// Calls the handler for each line on a queue of its own, until the input ends.
  static func forEachLine(_ handle: @escaping @Sendable (String) -> Void) {
    DispatchQueue(label: "input").async {
      while let line = readLine() { handle(line) }
    }
  }
}
