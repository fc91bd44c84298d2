/// What colours and marks of the picture mean.
enum TimelineLegend {
  static func element(left: Double, top: Double) -> XMLElement {
    var group = XMLElement("g")
    var x = left
    func label(_ text: String) {
      group.add(words(text, x, top + 10, size: 10, fill: "#444444"))
      x += Double(text.count) * 6.3 + 20
    }
    let colours = TimelineStretch.Kind.allCases.map { ($0.colour, $0.words) } + [("#8c7ae6", "cleanup")]
    for (colour, text) in colours {
      group.add(
        XMLElement("rect", ["x": number(x), "y": number(top), "width": "14", "height": "12", "fill": colour]))
      x += 20
      label(text)
    }
    group.add(TimelineLane.circle(x + 5, top + 6, isFilled: false))
    x += 14
    label("request")
    group.add(TimelineLane.circle(x + 5, top + 6, isFilled: true))
    x += 14
    label("agreed")
    group.add(
      XMLElement(
        "line",
        [
          "x1": number(x + 4), "y1": number(top - 1), "x2": number(x + 4), "y2": number(top + 13),
          "stroke": "#1f2328", "stroke-width": "1.5",
        ]))
    x += 12
    label("signal sent")
    group.add(TimelineLane.diamond(x + 5, top + 6))
    x += 14
    label("leader ended")
    group.add(
      XMLElement(
        "rect", ["x": number(x), "y": number(top), "width": "22", "height": "12", "fill": "#4f8fd9"]))
    group.add(
      XMLElement(
        "polyline",
        [
          "points": "\(number(x)),\(number(top + 2)) \(number(x + 10)),\(number(top + 2)) "
            + "\(number(x + 10)),\(number(top + 9)) \(number(x + 22)),\(number(top + 9))",
          "fill": "none", "stroke": "#ffffff", "stroke-width": "1.6",
        ]))
    x += 28
    label("clients connected")
    return group
  }
}
