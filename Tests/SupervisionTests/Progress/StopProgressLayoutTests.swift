import Supervision
import Testing

@Suite("A stop on a terminal")
struct StopProgressLayoutTests {
  private func progress(_ left: Int, of total: Int = 40, name: String = "worker") -> StopProgress {
    StopProgress(
      status: "cleaning up", stopped: total - left, total: total, elapsed: .milliseconds(3400),
      budget: .seconds(75),
      workers: (0..<left).map {
        StopProgress.Worker(
          name: "\(name)\($0)", state: "stopping", elapsed: .seconds(2 + $0), step: $0 == 0 ? "KILL" : "TERM",
          pid: 800 + Int32($0), clients: $0)
      })
  }

  private func lines(_ progress: StopProgress, _ columns: Int, _ rows: Int, colored: Bool = false) -> [String]
  {
    StopProgressLayout(columns: columns, rows: rows, isColored: colored).lines(for: progress)
  }

  @Test("a line for each that is left, and a bar")
  func usual() {
    #expect(
      self.lines(self.progress(3), 80, 24)
        == [
          "  worker0  stopping    2.0s  KILL   pid 800",
          "  worker1  stopping    3.0s  TERM   pid 801  1 client",
          "  worker2  stopping    4.0s  TERM   pid 802  2 clients",
          "[=======================..] 37/40 stopped, 3.4s, at most 1m 11s more",
        ].map { $0.hasPrefix("[") ? self.bar(80) : $0 })
  }

  private func bar(_ columns: Int) -> String {
    let text = " 37/40 stopped, 3.4s, at most 1m 11s more"
    let width = min(columns - 1 - text.count - 3, 40)
    let filled = width * 37 / 40
    return "[" + String(repeating: "=", count: filled) + String(repeating: ".", count: width - filled) + "]"
      + text
  }

  @Test("more than fit are counted", arguments: [4, 6, 10, 24, 50])
  func manyWorkers(rows: Int) {
    let lines = self.lines(self.progress(40), 80, rows)
    #expect(lines.count <= rows / 2)
    let shown = lines.filter { $0.contains("pid") }.count
    if shown > 0 { #expect(lines.dropLast().last == "  and \(40 - shown) more") }
    #expect(lines.last?.contains("0/40 stopped") == true)
  }

  @Test("none is wider than the terminal", arguments: [2, 5, 10, 20, 33, 40, 60, 80, 200])
  func narrow(columns: Int) {
    for left in [0, 1, 3, 40] {
      for line in self.lines(self.progress(left, name: String(repeating: "long", count: 16)), columns, 24) {
        #expect(line.count < columns)
      }
    }
  }

  @Test("a terminal of no size shows nothing", arguments: [(0, 0), (1, 24), (80, 1), (0, 24)])
  func nothing(columns: Int, rows: Int) { #expect(self.lines(self.progress(3), columns, rows) == []) }

  @Test("colours change nothing but colours")
  func colors() {
    let plain = self.lines(self.progress(3), 80, 24)
    let colored = self.lines(self.progress(3), 80, 24, colored: true)
    #expect(plain != colored)
    #expect(colored.map { $0.replacing(/\u{1b}\[[0-9]*m/, with: "") } == plain)
  }

  @Test("when all have ended, it says what goes on")
  func after() {
    #expect(self.lines(self.progress(0), 80, 24).last?.contains(" cleaning up, 3.4s, ") == true)
    #expect(self.lines(self.progress(0), 80, 24).count == 1)
  }

  @Test(arguments: [
    (Duration.zero, "0.0s"), (.milliseconds(2349), "2.3s"), (.milliseconds(59_999), "59.9s"),
    (.seconds(60), "1m 00s"), (.seconds(3605), "60m 05s"),
  ])
  func seconds(duration: Duration, text: String) { #expect(StopProgressLayout.seconds(duration) == text) }
}
