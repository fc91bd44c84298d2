import ProcCtl
import Testing

@Suite struct SurvivorTests {
  @Test func tracer() {
    let status = "Name:\ta\nTracerPid:\t812\nUid:\t0\t0\t0\t0\n"
    #expect(Survivor.tracer(inStatus: Array(status.utf8)) == ProcessIdentifier(812))
    #expect(Survivor.tracer(inStatus: Array("Name:\tTracerPid:\nTracerPid:\t0\n".utf8)) == nil)
    #expect(Survivor.tracer(inStatus: []) == nil)
  }

  @Test func freezer() {
    let groups = "7:blkio,freezer:/a:b/c\n6:name=freezer:/no\n0::/v2\n"
    #expect(Survivor.freezer(inGroups: Array(groups.utf8)) == "/a:b/c")
    #expect(Survivor.freezer(inGroups: Array("0::/freezer\n".utf8)) == nil)
    #expect(Survivor.freezer(inGroups: Array("nonsense".utf8)) == nil)
  }

  @Test func description() {
    let process = ProcessStatus(
      identity: ProcessIdentity(processIdentifier: ProcessIdentifier(5), startTime: 1), name: "a\nb",
      state: .zombie, parent: ProcessIdentifier(4), processGroup: ProcessIdentifier(5),
      session: ProcessIdentifier(5))
    let survivor = Survivor(process: process, hindrance: "traced by pid 6 (gdb)")
    #expect(survivor.description == "pid 5 (a\\nb), Z, traced by pid 6 (gdb)")
  }
}
