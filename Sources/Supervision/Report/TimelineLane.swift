/// One row of the picture.
struct TimelineLane: Sendable {
  let scale: TimelineScale
  let height: Double
  let labelLeft: Double
  let width: Double

  private var isTight: Bool { self.height < 20 }
  private var textSize: Int { self.isTight ? 10 : 11 }

  func worker(
    _ lane: ShutdownRecord.Lane, label: String, at top: Double, isShaded: Bool
  ) -> XMLElement {
    var group = self.row(label: label, title: Self.title(of: lane), at: top, isShaded: isShaded)
    let (barTop, barHeight) = (top + (self.isTight ? 3 : 6), self.height - (self.isTight ? 6 : 12))
    for stretch in TimelineStretch.all(of: lane, total: self.end(of: lane)) {
      let left = self.scale.x(stretch.start)
      let width = max(self.scale.x(stretch.end) - left, 0.8)
      group.add(
        XMLElement(
          "rect",
          [
            "x": number(left), "y": number(barTop), "width": number(width), "height": number(barHeight),
            "fill": stretch.kind.colour,
          ]))
    }
    if let clients = self.clients(of: lane, top: barTop, height: barHeight) { group.add(clients) }
    let middle = barTop + barHeight / 2
    for request in lane.requests {
      group.add(Self.circle(self.scale.x(request.at), middle, isFilled: false))
      if let answered = request.answered {
        group.add(Self.circle(self.scale.x(answered), middle, isFilled: request.refusal == nil))
      }
    }
    for element in self.signals(of: lane, top: barTop, height: barHeight) { group.add(element) }
    if let end = lane.leaderEnd { group.add(Self.diamond(self.scale.x(end.at), middle)) }
    let outcome = Self.outcome(of: lane)
    group.add(
      words(
        outcome.text, self.scale.right + 10, top + self.height / 2 + 4, size: self.textSize,
        fill: outcome.colour))
    return group
  }

  func cleanup(_ cleanup: ShutdownRecord.Cleanup, label: String, at top: Double, isShaded: Bool) -> XMLElement
  {
    let failure = cleanup.failure.map { ": \($0)" } ?? ""
    var group = self.row(label: label, title: label + failure, at: top, isShaded: isShaded)
    let left = self.scale.x(cleanup.start)
    let end = Microseconds(cleanup.start.count + (cleanup.duration?.count ?? 0))
    let inset = self.isTight ? 3.0 : 6.0
    group.add(
      XMLElement(
        "rect",
        [
          "x": number(left), "y": number(top + inset), "width": number(max(self.scale.x(end) - left, 0.8)),
          "height": number(self.height - 2 * inset), "fill": cleanup.failure == nil ? "#8c7ae6" : "#d1453b",
        ]))
    let text = (cleanup.duration?.text ?? "") + (cleanup.failure == nil ? "" : ", failed")
    group.add(
      words(
        text, self.scale.right + 10, top + self.height / 2 + 4, size: self.textSize,
        fill: cleanup.failure == nil ? "#444444" : "#b42318"))
    return group
  }

  private func row(label: String, title: String, at top: Double, isShaded: Bool) -> XMLElement {
    var group = XMLElement("g").adding(XMLElement("title", text: title))
    if isShaded {
      group.add(
        XMLElement(
          "rect",
          [
            "x": number(self.labelLeft - 6), "y": number(top),
            "width": number(self.width - self.labelLeft + 6),
            "height": number(self.height), "fill": "#1f2328", "fill-opacity": "0.035",
          ]))
    }
    group.add(words(label, self.labelLeft, top + self.height / 2 + 4, size: self.textSize))
    return group
  }

  // MARK: Marks

  /// Lines where signals were sent, with their names where those do not run into each other.
  private func signals(of lane: ShutdownRecord.Lane, top: Double, height: Double) -> [XMLElement] {
    var elements: [XMLElement] = []
    var free = -Double.infinity
    for signal in lane.signals {
      let x = self.scale.x(signal.at)
      elements.append(
        XMLElement(
          "line",
          [
            "x1": number(x), "y1": number(top - 2), "x2": number(x), "y2": number(top + height + 2),
            "stroke": "#1f2328", "stroke-width": "1.5",
          ]))
      let name = signal.signal.hasPrefix("SIG") ? String(signal.signal.dropFirst(3)) : signal.signal
      let width = Double(name.count) * 6 + 6
      // Not under the mark of the leader's end.
      let end = lane.leaderEnd.map { self.scale.x($0.at) } ?? -.infinity
      let gap = end >= x - 5 && end < x + width ? end - x + 6 : 3
      guard !self.isTight, x > free, x + gap + width < self.scale.right else { continue }
      elements.append(words(name, x + gap, top + height - 4, size: 9, weight: "bold"))
      free = x + gap + width
    }
    return elements
  }

  /// How many clients there were, as a line along the bar: full height for the most there ever were.
  private func clients(of lane: ShutdownRecord.Lane, top: Double, height: Double) -> XMLElement? {
    guard let most = lane.clients.map(\.connected).max(), most > 0, let last = lane.clients.last else {
      return nil
    }
    func y(_ count: Int) -> Double { top + height * (1 - Double(count) / Double(most)) }
    var points: [(Double, Double)] = []
    var level = lane.clients.first?.connected ?? 0
    for count in lane.clients {
      let x = self.scale.x(count.at)
      points += [(x, y(level)), (x, y(count.connected))]
      level = count.connected
    }
    points.append((self.scale.x(max(last.at, self.end(of: lane))), y(level)))
    return XMLElement(
      "polyline",
      [
        "points": points.map { "\(number($0.0)),\(number($0.1))" }.joined(separator: " "), "fill": "none",
        "stroke": "#ffffff", "stroke-width": "1.6",
      ])
  }

  static func circle(_ x: Double, _ y: Double, isFilled: Bool) -> XMLElement {
    XMLElement(
      "circle",
      [
        "cx": number(x), "cy": number(y), "r": "3.5", "fill": isFilled ? "#1f2328" : "#ffffff",
        "stroke": "#1f2328", "stroke-width": "1.2",
      ])
  }

  static func diamond(_ x: Double, _ y: Double) -> XMLElement {
    XMLElement(
      "path",
      [
        "d": "M\(number(x)) \(number(y - 4.5)) l4.5 4.5 l-4.5 4.5 l-4.5 -4.5 z", "fill": "#ffffff",
        "stroke": "#1f2328", "stroke-width": "1.2",
      ])
  }

  // MARK: Words

  private func end(of lane: ShutdownRecord.Lane) -> Microseconds { lane.duration ?? self.scale.total }

  private static func outcome(of lane: ShutdownRecord.Lane) -> (text: String, colour: String) {
    let state = lane.states.last?.state ?? ""
    if state == "failed" { return ("failed, \(lane.duration?.text ?? "not ended")", "#b42318") }
    guard let duration = lane.duration else { return ("not ended", "#b42318") }
    if !lane.ran { return ("did not run", "#777777") }
    var text = duration.text
    if let end = lane.leaderEnd?.text { text += ", \(end)" }
    if lane.force == "kill", lane.leaderEnd?.signal != "SIGKILL" { text += ", needed KILL" }
    return (text, lane.force == "kill" ? "#b42318" : lane.force == "signal" ? "#9a6700" : "#444444")
  }

  private static func title(of lane: ShutdownRecord.Lane) -> String {
    var lines = [
      "\(lane.name)\(lane.port.map { ", port \($0)" } ?? "")\(lane.pid.map { ", pid \($0)" } ?? "")"
    ]
    for change in lane.states {
      lines.append("\(change.at.text): \(change.state)\(change.why.map { ", \($0)" } ?? "")")
    }
    for request in lane.requests {
      let answer = request.answered.map {
        request.refusal ?? "agreed after \(Microseconds($0.count - request.at.count).text)"
      }
      lines.append("\(request.at.text): \(request.method) \(request.path): \(answer ?? "no answer")")
    }
    for signal in lane.signals {
      lines.append("\(signal.at.text): \(signal.signal) to \(signal.processes)")
    }
    for check in lane.portChecks {
      lines.append("\(check.at.text): port \(check.holder.map { "held by \($0)" } ?? "free")")
    }
    return lines.joined(separator: "; ")
  }
}

extension ShutdownRecord.Lane {
  /// Whether it had to be ended at all.
  var ran: Bool { self.states.contains { $0.state == "stopping" } }
}

extension ShutdownRecord.LeaderEnd {
  /// `exited 0`, `SIGTERM`.
  var text: String {
    if let signal = self.signal { return signal + (self.coreDumped == true ? " (core)" : "") }
    return self.exitStatus.map { "exited \($0)" } ?? "ended"
  }
}
