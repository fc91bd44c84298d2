import ProcCtl
import Supervision
import SystemPackage
import Testing

@Suite("The list of repositories")
struct RepositoryFileTests {
  private static let table = """
    [repositories]
    file = "repositories.json"
    command = ["repository-worker", "--repository", "{path}", "--port", "{port}", "--name", "{name}"]
    ready = "http:/health"
    restart = "never"
    directory = "{path}"
    """

  private func load(_ json: String, _ toml: String = table) throws -> Result<
    MasterConfiguration, ConfigurationError
  > {
    try withDirectory(files: ["procctl.toml": toml, "repositories.json": json]) { directory in
      do throws(ConfigurationError) {
        return .success(
          try MasterConfiguration.load(file: directory.appending("procctl.toml"), environment: [:]))
      } catch {
        // Messages name files in full; the directory is another one each time.
        var error = error
        for index in error.problems.indices {
          for (part, short) in [("\(directory)/", "")] {
            error.problems[index].file = error.problems[index].file.map { replace(part, in: $0, by: short) }
            error.problems[index].message = replace(part, in: error.problems[index].message, by: short)
          }
        }
        return .failure(error)
      }
    }
  }

  private func replace(_ part: String, in text: String, by other: String) -> String {
    text.split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
  }

  private func complaints(_ json: String, _ toml: String = table) throws -> [String] {
    switch try self.load(json, toml) {
    case .success: []
    case .failure(let error): error.problems.map(\.description)
    }
  }

  @Test("gives a worker per entry, in its order")
  func workers() throws {
    let configuration = try self.load(
      """
      {"repositories": {
        "zeta": {"path": "/srv/zeta", "port": 8082},
        "al\\u0070ha": {"port": 8081, "path": "{odd} dir"}
      }}
      """
    ).get()
    #expect(configuration.workers.map(\.name) == ["zeta", "alpha"])
    #expect(
      configuration.workers[0].arguments() == [
        "repository-worker", "--repository", "/srv/zeta", "--port", "8082", "--name", "zeta",
      ])
    #expect(configuration.workers[0].ready == .http(path: "/health"))
    #expect(configuration.workers[0].restart == .never)
    #expect(configuration.workers[0].directory == "/srv/zeta")
    #expect(configuration.workers[1].arguments()[2].hasSuffix("/{odd} dir"))
    #expect(configuration.workers[1].arguments()[2].hasPrefix("/tmp/"))
  }

  @Test("is refused with file, line and entry")
  func problems() throws {
    #expect(
      try self.complaints(
        """
        {"repositories": {
          "a": {"path": "/a", "port": 8081},
          "b": {"path": "/b", "prot": 8082},
          "c": {"path": 3, "port": 70000},
          "d": {"path": "/d", "port": 8081},
          "e e": {"path": "/e", "port": 8085},
          "f": [],
          "a": {"path": "/a", "port": 8087},
          "g": {"path": ""}
        }}
        """) == [
          "repositories.json:3: repository \"b\": unknown key \"prot\", did you mean \"port\"?",
          "repositories.json:3: repository \"b\": has no \"port\", but \"{port}\" (procctl.toml:3) needs one",
          "repositories.json:4: repository \"c\": \"path\" must be a path",
          "repositories.json:4: repository \"c\": \"port\" must be an integer from 1 to 65535",
          "repositories.json:5: repository \"d\": port 8081 is already taken by worker \"a\" (repositories.json:2)",
          "repositories.json:6: repository \"e e\": the name must be 1 to 64 of the characters A-Z a-z 0-9 . _ - "
            + "and not begin with \"-\"",
          "repositories.json:7: repository \"f\": must be an object with \"path\" and \"port\"",
          "repositories.json:8: repository \"a\" is there twice",
          "repositories.json:9: repository \"g\": \"path\" must be a path",
        ])
  }

  @Test(
    "is refused if it is something else",
    arguments: [
      ("[]", "repositories.json: must be an object with \"repositories\""),
      ("{}", "repositories.json: must have \"repositories\", an object with a member for each repository"),
      (
        "{\"repositories\": []}",
        "repositories.json: must have \"repositories\", an object with a member for each repository"
      ),
      (
        "{\"repositories\": {\"a\": {\"path\": \"/a\", \"port\": 1}}, \"repos\": 1}",
        "repositories.json:1: unknown key \"repos\", did you mean \"repositories\"?"
      ),
      (
        "{\"repositories\": {}}",
        "procctl.toml: there are no workers: add a table [workers.NAME] with a \"command\""
      ),
    ])
  func shape(json: String, message: String) throws {
    #expect(try self.complaints(json) == [message])
  }

  @Test(
    "is refused in the line where it is not JSON",
    arguments: [
      ("", 1), ("{", 1), ("{\"repositories\": {\n\"a\": }}", 2), ("nonsense", 1), ("\n\n{\"a\":\n3x}", 4),
      ("{\"a\": tru}\n", 1), ("{}\n}\n", 2), ("{\"a\"\n1}", 2), ("[1\n\n2]", 3), ("{\"a\": [1, \"]\",\n}", 2),
      // The decoder does not look into what nobody asks for; a mistake is one all the same.
      ("{\"a\": \"\\u12g4\",\n\"b\": }", 1),
      ("{\"a\": [-1.5e+9, 0.1E-2, true, false, null, \"\\n\\\"\", {}, ],\n+}", 2),
    ])
  func syntax(json: String, line: Int) throws {
    #expect(try self.complaints(json) == ["repositories.json:\(line): is not valid JSON"])
  }

  @Test("is refused if something in it is there twice: one of the two would be lost")
  func twice() throws {
    #expect(
      try self.complaints(
        """
        {"repositories": {"a": {"path": "/a", "port": 1}},
         "repositories": {"b": {"path": "/b", "port": 2,
           "p\\u0061th": "/c", "port": 3}}}
        """
      ).filter { $0.hasSuffix("twice") } == [
        "repositories.json:2: \"repositories\" is there twice",
        "repositories.json:3: repository \"b\": \"path\" is there twice",
        "repositories.json:3: repository \"b\": \"port\" is there twice",
      ])
  }

  @Test("is refused with the character zero, which no path can hold")
  func zero() throws {
    #expect(
      try self.complaints("{\"repositories\": {\n\"a\": {\"path\": \"/a\\u0000b\", \"port\": 1}}}") == [
        "repositories.json:2: repository \"a\": the character zero cannot be part of a path"
      ])
    #expect(
      try self.complaints("{\n\0\"repositories\": {}}") == [
        "repositories.json:2: the character zero cannot be part of it"
      ])
  }

  @Test("stands beside workers of the configuration, without name or port twice")
  func besideWorkers() throws {
    let toml = Self.table + "\n[workers.a]\ncommand = [\"x\"]\nport = 1\n"
    #expect(
      try self.complaints("{\"repositories\":\n{\"b\": {\"path\": \"/b\", \"port\": 1}}}", toml) == [
        "repositories.json:2: repository \"b\": port 1 is already taken by worker \"a\" (procctl.toml:9)"
      ])
    #expect(
      try self.complaints("{\"repositories\":\n{\"a\": {\"path\": \"/b\", \"port\": 2}}}", toml) == [
        "repositories.json:2: repository \"a\": there is a worker \"a\" already (procctl.toml:9)"
      ])
  }

  @Test("has no port, and one mistake in the shared keys is reported once")
  func sharedKeys() throws {
    let json = "{\"repositories\": {\"a\": {\"path\": \"/a\"}, \"b\": {\"path\": \"/b\"}}}"
    #expect(
      try self.complaints(
        json,
        """
        [repositories]
        file = "repositories.json"
        command = ["x", "{prot}"]
        port = 1
        listen = "inherit"
        """) == [
          "procctl.toml:3: unknown placeholder \"{prot}\", did you mean \"{port}\"? (\"{{\" stands for \"{\")",
          "procctl.toml:4: unknown key \"port\"",
          "procctl.toml:5: listen = \"inherit\" is not available in this version",
        ])
    let plain = "[repositories]\nfile = \"repositories.json\"\ncommand = [\"x\", \"{path}\"]"
    let configuration = try self.load(json, plain).get()
    #expect(configuration.workers.map(\.ready) == [.none, .none])
    #expect(configuration.workers.map { $0.arguments() } == [["x", "/a"], ["x", "/b"]])
  }
}
