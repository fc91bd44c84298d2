/// How hard a worker had to be pushed, in rising order.
package enum StopForce: Int, Comparable, Sendable {
  /// It obeyed the first thing it was asked, or ended by itself.
  case none
  /// It was asked and needed a signal, or another one, to go.
  case signal
  case kill

  package static func < (left: StopForce, right: StopForce) -> Bool { left.rawValue < right.rawValue }
}
