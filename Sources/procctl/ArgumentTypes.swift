public import ArgumentParser
public import ProcCtl

/// A duration as it is written on the command line: 250ms, 10s, 2m; a bare number is seconds.
struct DurationArgument: ExpressibleByArgument {
  var duration: Duration

  init(_ duration: Duration) {
    self.duration = duration
  }

  init?(argument: String) {
    guard let duration = try? Duration(text: argument) else { return nil }
    self.duration = duration
  }

  var defaultValueDescription: String { self.duration.text }
}

/// A signal by name or number.
struct SignalArgument: ExpressibleByArgument {
  var signal: Signal

  init(_ signal: Signal) {
    self.signal = signal
  }

  init?(argument: String) {
    guard let signal = Signal(name: argument) else { return nil }
    self.signal = signal
  }

  var defaultValueDescription: String { String(self.signal.description.dropFirst(3)) }
}

/// `A:B`: what to send instead of A; `A:` drops A.
struct SignalMapping: ExpressibleByArgument {
  var from: Signal
  var to: Signal?

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let from = Signal(name: String(parts[0])) else { return nil }
    self.from = from
    if parts[1].isEmpty {
      self.to = nil
    } else if let to = Signal(name: String(parts[1])) {
      self.to = to
    } else {
      return nil
    }
  }
}

/// `NAME=VALUE`.
struct EnvironmentAssignment: ExpressibleByArgument {
  var name: String
  var value: String

  init?(argument: String) {
    guard let sign = argument.firstIndex(of: "="), sign != argument.startIndex else { return nil }
    self.name = String(argument[..<sign])
    self.value = String(argument[argument.index(after: sign)...])
  }
}

/// `nofile=1024:4096`, `nproc=100`, `core=unlimited`.
struct LimitArgument: ExpressibleByArgument {
  var limit: ChildSetup.Limit

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let resource = Resource(name: String(parts[0])) else { return nil }
    let values = parts[1].split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(values.count) else { return nil }
    var numbers: [UInt64?] = []
    for value in values {
      if value == "unlimited" {
        numbers.append(nil)
      } else if let number = UInt64(value) {
        numbers.append(number)
      } else {
        return nil
      }
    }
    self.limit = ChildSetup.Limit(resource, soft: numbers[0], hard: numbers[numbers.count - 1])
  }
}

extension ContainmentChoice: ExpressibleByArgument {}
