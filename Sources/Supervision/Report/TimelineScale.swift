/// From a time to a place, and which times are worth a line.
struct TimelineScale: Sendable {
  struct Tick: Sendable, Equatable {
    var x: Double
    var label: String
  }

  let left: Double
  let right: Double
  private let whole: Int64

  init(duration: Microseconds, left: Double, width: Double) {
    self.left = left
    self.right = left + width
    // What took no time has a width all the same.
    self.whole = max(duration.count, 1000)
  }

  /// The end of it.
  var total: Microseconds { Microseconds(self.whole) }

  func x(_ time: Microseconds) -> Double {
    let part = Double(min(max(time.count, 0), self.whole)) / Double(self.whole)
    return self.left + part * (self.right - self.left)
  }

  /// Six to twelve, at round numbers.
  var ticks: [Tick] {
    let steps = (2...12).lazy.flatMap { exponent in
      let power = (0..<exponent).reduce(Int64(1)) { power, _ in power * 10 }
      return [power, 2 * power, 5 * power]
    }
    let step = steps.first { self.whole / $0 <= 10 } ?? self.whole
    return stride(from: 0, through: self.whole, by: Int(step)).map { time in
      Tick(x: self.x(Microseconds(time)), label: time == 0 ? "0" : Microseconds(time).text)
    }
  }
}
