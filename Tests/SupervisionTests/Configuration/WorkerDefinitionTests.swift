import Glibc
import ProcCtl
import Supervision
import Testing

@Suite("A worker's definition")
struct WorkerDefinitionTests {
  @Test("made in code takes its words as they are")
  func literal() {
    let worker = WorkerDefinition(
      name: "a", command: ["sh", "-c", "echo {fd} {{ ${HOME}"], environment: ["X": "{port}"])
    #expect(worker.arguments(descriptor: 3) == ["sh", "-c", "echo {fd} {{ ${HOME}"])
    #expect(worker.variables(descriptor: 3) == ["X": "{port}"])
  }

  @Test("looks up users and groups, by name and by number")
  func credentials() throws {
    func credentials(_ user: String?, _ group: String?) throws -> ChildSetup.Credentials? {
      try WorkerDefinition(name: "a", command: ["b"], user: user, group: group).credentials()
    }
    #expect(try credentials(nil, nil) == nil)
    let root = try #require(try credentials("root", nil))
    #expect(root.user == 0 && root.group == 0)
    #expect(root.supplementaryGroups.contains(0))
    #expect(try credentials("0", nil) == root)
    // Fixed numbers of Debian's base-passwd.
    let daemon = try #require(try credentials("daemon", nil))
    #expect(daemon.user == 1 && daemon.group == 1)
    #expect(try credentials("daemon", "root")?.group == 0)
    #expect(try credentials("daemon", "4")?.group == 4)
    #expect(try credentials(nil, "daemon")?.user == geteuid())
    #expect(
      try credentials("4000000001", "4000000002")
        == ChildSetup.Credentials(user: 4_000_000_001, group: 4_000_000_002))
  }

  @Test(
    "refuses users and groups that do not exist",
    arguments: [
      ("no-such-user-here", nil, "there is no user \"no-such-user-here\""),
      ("root", "no-such-group-here", "there is no group \"no-such-group-here\""),
      ("4294967295", "0", "there is no user \"4294967295\""),
      ("-1", "0", "there is no user \"-1\""),
      ("4000000001", nil, "user 4000000001 is not in the user database: set a group too"),
    ] as [(String, String?, String)])
  func unknownAccounts(user: String, group: String?, message: String) {
    let worker = WorkerDefinition(name: "a", command: ["b"], user: user, group: group)
    #expect {
      try worker.credentials()
    } throws: { error in
      "\(error)" == message
    }
  }

  @Test(
    "reads limits",
    arguments: [
      ("5", 5, 5), ("1:2", 1, 2), ("unlimited", nil, nil), ("7:unlimited", 7, nil), ("0", 0, 0),
      ("unlimited:unlimited", nil, nil),
    ] as [(String, UInt64?, UInt64?)])
  func limits(text: String, soft: UInt64?, hard: UInt64?) throws {
    let resource = try #require(Resource(name: "nofile"))
    #expect(
      try ChildSetup.Limit(resource, text: text) == ChildSetup.Limit(resource, soft: soft, hard: hard))
  }

  @Test(
    "refuses limits",
    arguments: [
      "", ":", "1:", ":1", "1:2:3", "2:1", "unlimited:5", "-1", "+1", "1k", "18446744073709551615",
      "18446744073709551616", "Unlimited",
    ])
  func badLimits(text: String) throws {
    let resource = try #require(Resource(name: "nofile"))
    #expect(throws: LimitTextError.self) { try ChildSetup.Limit(resource, text: text) }
  }

  @Test("can be contained in every way that has a name")
  func contain() {
    #expect(ContainmentChoice.allNames == ["auto", "session", "cgroup", "guard", "pid-namespace"])
    for name in ContainmentChoice.allNames { #expect(ContainmentChoice(name: name)?.description == name) }
    #expect(ContainmentChoice(name: "AUTO") == nil)
  }
}
