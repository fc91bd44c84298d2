import ProcCtl
import Testing

@Suite struct EnvironmentTests {
  @Test func changesFollowEachOther() {
    var environment = Environment.empty.setting("A", to: "1").setting("B", to: "x=y").setting("A", to: "2")
    #expect(environment.entries() == ["B=x=y", "A=2"])
    #expect(environment.value(of: "B") == "x=y")
    environment = environment.removing("A").removing("NONE")
    #expect(environment.entries() == ["B=x=y"])
    #expect(environment.value(of: "A") == nil)
    #expect(environment.setting("A", to: "").entries() == ["B=x=y", "A="])
  }

  @Test("what is inherited is all but what is removed")
  func inherited() {
    #expect(Environment.inherit.value(of: "PATH") != nil)
    let without = Environment.inherit.removing("PATH")
    #expect(without.value(of: "PATH") == nil)
    #expect(without.entries().count == Environment.inherit.entries().count - 1)
  }
}
