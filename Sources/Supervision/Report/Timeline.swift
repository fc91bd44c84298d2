/// The picture of a shutdown: a lane for each worker, phases, signals and ports over time, as SVG.
///
/// It depends on the record alone, so that equal records make equal pictures, and on no file or font
/// from elsewhere.
package struct Timeline: Sendable {
  private let record: ShutdownRecord
  private let lanes: [ShutdownRecord.Lane]
  private let scale: TimelineScale
  private let labels: Double
  private let laneHeight: Double

  /// More lanes nobody can look at; those that took longest are shown.
  private static let mostLanes = 500
  static let font = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
  private static let margin = 20.0
  private static let plotWidth = 860.0
  private static let outcomeWidth = 230.0

  package init(_ record: ShutdownRecord) {
    self.record = record
    let slowest = record.workers.enumerated().sorted { left, right in
      let (leftTime, rightTime) = (
        left.element.duration?.count ?? .max, right.element.duration?.count ?? .max
      )
      return leftTime != rightTime ? leftTime > rightTime : left.offset < right.offset
    }
    self.lanes = slowest.prefix(Self.mostLanes).sorted { $0.offset < $1.offset }.map(\.element)
    self.laneHeight = self.lanes.count > 40 ? 16 : 26
    let names = self.lanes.map { Self.label($0).count } + record.cleanups.map { $0.name.count + 8 }
    self.labels = Double(min(max(names.max() ?? 0, 8), Self.longestLabel)) * 7 + 12
    self.scale = TimelineScale(
      duration: record.duration, left: Self.margin + self.labels, width: Self.plotWidth)
  }

  private static let longestLabel = 34

  private static func label(_ lane: ShutdownRecord.Lane) -> String {
    self.cut(lane.name + (lane.port.map { " :\($0)" } ?? ""), to: self.longestLabel)
  }

  private static func cut(_ text: String, to length: Int) -> String {
    text.count > length ? text.prefix(length - 1) + "…" : text
  }

  private var width: Double { self.scale.right + Self.outcomeWidth }

  // MARK: The picture

  /// A document in SVG 1.1.
  package var svg: String {
    let top = 92.0
    let phaseHeight = 22.0
    let lanesTop = top + phaseHeight + 12
    let rows = self.lanes.count + self.record.cleanups.count
    let bottom = lanesTop + Double(max(rows, 1)) * self.laneHeight + 6
    let notes = self.notes
    let notesTop = bottom + 34
    let legendTop = notesTop + Double(notes.count) * 17 + (notes.isEmpty ? 0 : 12)
    let height = legendTop + 34

    var picture = XMLElement(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "width": number(self.width), "height": number(height),
        "viewBox": "0 0 \(number(self.width)) \(number(height))", "font-family": Self.font,
        "font-size": "11",
      ])
    picture.add(XMLElement("title", text: "Shutdown of \(self.record.configuration)"))
    picture.add(
      XMLElement("rect", ["width": number(self.width), "height": number(height), "fill": "#ffffff"]))
    for element in self.heading { picture.add(element) }
    for element in self.axis(from: top, to: bottom) { picture.add(element) }
    for (index, phase) in self.record.phases.enumerated() {
      picture.add(self.phase(phase, at: top, height: phaseHeight, isEven: index.isMultiple(of: 2)))
    }
    let labelled = TimelineLane(
      scale: self.scale, height: self.laneHeight, labelLeft: Self.margin, width: self.width - Self.margin)
    for (index, lane) in self.lanes.enumerated() {
      picture.add(
        labelled.worker(
          lane, label: Self.label(lane), at: lanesTop + Double(index) * self.laneHeight,
          isShaded: index.isMultiple(of: 2)))
    }
    for (index, cleanup) in self.record.cleanups.enumerated() {
      let row = self.lanes.count + index
      picture.add(
        labelled.cleanup(
          cleanup, label: Self.cut("cleanup " + cleanup.name, to: Self.longestLabel),
          at: lanesTop + Double(row) * self.laneHeight, isShaded: row.isMultiple(of: 2)))
    }
    for (index, note) in notes.enumerated() {
      picture.add(
        words(note.text, Self.margin, notesTop + Double(index) * 17, fill: note.isBad ? "#b42318" : "#555555")
      )
    }
    picture.add(TimelineLegend.element(left: Self.margin, top: legendTop))
    return picture.document
  }

  private var heading: [XMLElement] {
    let record = self.record
    let verdict = record.exitStatus == 0 ? "#1a7f37" : record.exitStatus < 4 ? "#9a6700" : "#b42318"
    return [
      words(
        "Shutdown of \(Self.cut(record.configuration, to: 110))", Self.margin, 28, size: 16, weight: "bold"),
      words(
        "\(record.began.date) · \(Self.cut(record.reason, to: 80)) · "
          + "\(record.workers.count) \(record.workers.count == 1 ? "worker" : "workers") in "
          + "\(record.duration.text) of at most \(record.budget.text)", Self.margin, 47, size: 12,
        fill: "#444444"),
      words(
        "exit status \(record.exitStatus): \(Self.cut(record.summary, to: 140))", Self.margin, 65, size: 12,
        weight: "bold", fill: verdict),
    ]
  }

  /// Lines over the whole height, each with its time above and below.
  private func axis(from top: Double, to bottom: Double) -> [XMLElement] {
    self.scale.ticks.flatMap { tick -> [XMLElement] in
      let x = number(tick.x)
      return [
        XMLElement(
          "line",
          [
            "x1": x, "y1": number(top - 4), "x2": x, "y2": number(bottom), "stroke": "#d9dde2",
            "stroke-width": "1",
          ]),
        words(tick.label, tick.x, top - 8, size: 10, anchor: "middle", fill: "#666666"),
        words(tick.label, tick.x, bottom + 13, size: 10, anchor: "middle", fill: "#666666"),
      ]
    }
  }

  private func phase(_ phase: ShutdownRecord.Phase, at top: Double, height: Double, isEven: Bool)
    -> XMLElement
  {
    let left = self.scale.x(phase.start)
    let width = max(self.scale.x(Microseconds(phase.start.count + phase.duration.count)) - left, 1)
    var group = XMLElement("g").adding(
      XMLElement("title", text: "\(phase.name): \(phase.duration.text), \(phase.outcome)"),
      XMLElement(
        "rect",
        [
          "x": number(left), "y": number(top), "width": number(width), "height": number(height),
          "fill": isEven ? "#e4e7ec" : "#cfd4dc",
        ]))
    let text = "\(phase.name) \(phase.duration.text)"
    if Double(text.count) * 6.5 < width { group.add(words(text, left + 6, top + 15, fill: "#333333")) }
    return group
  }

  /// What else there is to say: what is left, and what did not fit.
  private var notes: [(text: String, isBad: Bool)] {
    let record = self.record
    var notes: [(String, Bool)] = []
    let hidden = record.workers.count - self.lanes.count
    if hidden > 0 { notes.append(("\(hidden) more workers that took less time are not shown", false)) }
    notes += record.leftovers.map { leftover in
      let whose = leftover.worker.map { " of \($0)" } ?? ""
      return (
        "left behind\(whose): \(leftover.what)\(leftover.isCleaned ? ", removed" : "")", !leftover.isCleaned
      )
    }
    notes += record.heldPorts.map { ("port \($0)", true) }
    notes += record.survivors.map { ("survivor: \($0)", true) }
    notes += record.failedCleanups.map { ("cleanup \($0)", true) }
    notes += record.internalErrors.map { ("internal error: \($0)", true) }
    return notes.prefix(20).map { (Self.cut($0.0, to: 170), $0.1) }
  }
}

/// Tenths are fine enough, and the same everywhere.
func number(_ value: Double) -> String {
  let tenths = Int((value * 10).rounded())
  return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
}

/// A line of text in a picture.
func words(
  _ text: String, _ x: Double, _ y: Double, size: Int = 11, weight: String? = nil, anchor: String? = nil,
  fill: String = "#1f2328"
) -> XMLElement {
  switch (weight, anchor) {
  case (let weight?, _):
    XMLElement(
      "text", ["x": number(x), "y": number(y), "font-size": "\(size)", "font-weight": weight, "fill": fill],
      text: text)
  case (nil, let anchor?):
    XMLElement(
      "text", ["x": number(x), "y": number(y), "font-size": "\(size)", "text-anchor": anchor, "fill": fill],
      text: text)
  case (nil, nil):
    XMLElement("text", ["x": number(x), "y": number(y), "font-size": "\(size)", "fill": fill], text: text)
  }
}
