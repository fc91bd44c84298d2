/// What is to be said at the end, and whether it is good.
struct Report: CustomStringConvertible {
  /// Statuses that are missing or not what the child exited with.
  private(set) var wrongAnswers: [String] = []
  private var problems: [String] = []
  private var right: [Library: Int] = [:]
  private var total: [Library: Int] = [:]
  private var adopted = 0
  private var reaped = 0
  private var slowest = Duration.zero

  /// - Parameter left: The children this program still has.
  init(_ children: [ObservedChild], left: [ProcessTable.Entry], reapingLimit: Duration) {
    for child in children {
      let plan = child.plan
      self.total[plan.library, default: 0] += 1
      if child.answer == .exited(plan.status) {
        self.right[plan.library, default: 0] += 1
      } else {
        let answer = child.answer.map { "\($0)" } ?? "no answer"
        self.wrongAnswers.append("\(plan.name): \(answer), but its status is \(plan.status)")
      }
      self.problems += child.problems.map { "\(plan.name): \($0)" }
      if child.wasAdopted { self.adopted += 1 }
      if let time = child.zombieTime {
        self.reaped += 1
        self.slowest = max(self.slowest, time)
        if time > reapingLimit { self.problems.append("\(plan.name): its orphan was a zombie for \(time)") }
      }
    }
    self.problems += left.map { "left: \($0)" }
  }

  var isClean: Bool { self.wrongAnswers.isEmpty && self.problems.isEmpty }

  var description: String {
    let statuses = Library.allCases.filter { self.total[$0] != nil }.map {
      "\($0.rawValue): \(self.right[$0, default: 0]) of \(self.total[$0, default: 0]) statuses right"
    }
    let orphans = "orphans: \(self.adopted) adopted, \(self.reaped) reaped, the slowest after \(self.slowest)"
    return (statuses + [orphans] + self.wrongAnswers + self.problems).joined(separator: "\n")
  }
}
