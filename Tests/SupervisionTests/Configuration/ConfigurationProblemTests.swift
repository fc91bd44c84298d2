import ProcCtl
import Supervision
import Testing

/// The messages of a configuration that is refused, word for word.
@Suite("A configuration is refused")
struct ConfigurationProblemTests {
  @Test(
    "naming line and value",
    arguments: [
      // Keys.
      ("comand = [\"x\"]", "unknown key \"comand\", did you mean \"command\"?"),
      ("flavour = 1", "unknown key \"flavour\""),
      ("\"a\\nb\" = 1", "unknown key \"a\\nb\""),
      ("backoff = { frist = 1 }", "unknown key \"frist\", did you mean \"first\"?"),
      ("backoff = { zzzzzz = 1 }", "unknown key \"zzzzzz\": there is \"first\" and \"max\""),
      ("preset = \"uvcorn\"", "unknown preset \"uvcorn\", did you mean \"uvicorn\"?"),
      ("preset = \"postgresql\"", "unknown preset \"postgresql\", did you mean \"postgres\"?"),
      (
        "preset = \"apache\"",
        "unknown preset \"apache\": there is \"gunicorn\", \"mcp-proxy\", \"nginx\", \"postgres\", "
          + "\"redis\" and \"uvicorn\""
      ),
      ("preset = [\"uvicorn\"]", "\"preset\" must be the name of a preset, not an array"),
      // Types and values.
      ("port = \"x\"", "\"port\" must be an integer from 1 to 65535, not a string"),
      ("port = 0", "\"port\" must be an integer from 1 to 65535, not 0"),
      ("port = 65536", "\"port\" must be an integer from 1 to 65535, not 65536"),
      ("port = -1", "\"port\" must be an integer from 1 to 65535, not -1"),
      ("port = 80.5", "\"port\" must be an integer from 1 to 65535, not a floating-point number"),
      ("port = 2020-01-01", "\"port\" must be an integer from 1 to 65535, not a date or time"),
      ("nice = 20", "\"nice\" must be an integer from -20 to 19, not 20"),
      ("oom-score = true", "\"oom-score\" must be an integer from -1000 to 1000, not a boolean"),
      ("no-new-privileges = 1", "\"no-new-privileges\" must be true or false, not an integer"),
      ("listen = \"master\"", "\"listen\" must be \"worker\" or \"inherit\", not \"master\""),
      ("restart = \"no\"", "\"restart\" must be \"always\", \"on-failure\" or \"never\", not \"no\""),
      (
        "contain = \"jail\"",
        "\"contain\" must be \"auto\", \"session\", \"cgroup\", \"guard\" or \"pid-namespace\", not \"jail\""
      ),
      (
        "ready = \"htp:/x\"",
        "\"ready\" must be \"notify\", \"tcp\", \"http:/PATH\" or \"none\", "
          + "not \"htp:/x\""
      ),
      ("start-timeout = \"10x\"", "\"start-timeout\": \"10x\" is not a duration: write 250ms, 10s, 2m or 1h"),
      ("start-timeout = -1", "\"start-timeout\": \"-1\" is negative: a duration is zero or more"),
      ("start-timeout = nan", "\"start-timeout\": \"nan\" is not a duration: write 250ms, 10s, 2m or 1h"),
      ("start-timeout = []", "\"start-timeout\" must be a duration such as \"10s\", not an array"),
      (
        "start-timeout = \"9999999h\"",
        "\"start-timeout\": \"9999999h\" is too long: a duration is at most a century"
      ),
      ("backoff = \"1s\"", "\"backoff\" must be a table, not a string"),
      ("backoff = { first = 0 }", "\"first\" must not be zero: restarts without a pause are a storm"),
      (
        "backoff = { first = \"2m\", max = \"1m\" }",
        "\"backoff\" begins with 2m and cannot end with less, 1m"
      ),
      ("umask = 22", "\"umask\" must be an octal string such as \"022\", not an integer"),
      ("umask = \"088\"", "\"umask\" must be an octal string such as \"022\", not \"088\""),
      ("umask = \"1777\"", "\"umask\" must be an octal string such as \"022\", not \"1777\""),
      ("directory = \"\"", "\"directory\" must be a path, not \"\""),
      ("user = -1", "\"user\" must be a name or a number, not -1"),
      ("group = \"\"", "\"group\" must be a name or a number, not \"\""),
      ("capabilities = [\"CAP_FLY\"]", "unknown capability \"CAP_FLY\""),
      ("capabilities = [1]", "\"capabilities\" must be an array of strings, without an integer"),
      ("limits = { nofiles = 1 }", "unknown limit \"nofiles\", did you mean \"nofile\"?"),
      (
        "limits = { nofile = true }",
        "\"nofile\" must be a number or a string such as \"1024:4096\", not a boolean"
      ),
      (
        "limits = { nofile = \"2:1\" }",
        "\"nofile\": \"2:1\" is not a limit: write a number, SOFT:HARD or unlimited, with SOFT not above HARD"
      ),
      ("environment = { X = 1 }", "variable \"X\" must be a string, not an integer"),
      ("environment = { \"A=B\" = \"\" }", "\"A=B\" cannot be the name of a variable"),
      ("environment = [\"A=B\"]", "\"environment\" must be a table of strings, not an array"),
      // Placeholders.
      (
        "environment = { X = \"{prot}\" }",
        "unknown placeholder \"{prot}\", did you mean \"{port}\"? (\"{{\" stands for \"{\")"
      ),
      ("environment = { X = \"a{\" }", "\"{\" without \"}\" in \"a{\" (\"{{\" stands for \"{\")"),
      ("environment = { X = \"{path}\" }", "\"{path}\" is only for [repositories]"),
      ("environment = { X = \"{fd}\" }", "\"{fd}\" is only for a command with listen = \"inherit\""),
      ("environment = { X = \"{port}\" }", "\"{port}\" needs a \"port\""),
      // Needing a port.
      ("listen = \"inherit\"", "listen = \"inherit\" needs a \"port\""),
      ("ready = \"tcp\"", "ready = \"tcp\" needs a \"port\""),
      ("ready = \"http:/health\"", "ready = \"http:/health\" needs a \"port\""),
      ("stop = [{ request = \"POST /x\" }]", "a stop request needs a \"port\""),
      // Stop steps.
      ("stop = \"TERM\"", "\"stop\" must be an array of steps such as { signal = \"TERM\" }, not a string"),
      (
        "stop = [\"TERM\"]",
        "\"stop\" must be an array of steps such as { signal = \"TERM\" }, without a string"
      ),
      ("stop = [{ signal = \"TREM\", wait = 1 }]", "unknown signal \"TREM\", did you mean \"TERM\"?"),
      ("stop = [{ signal = 15 }]", "\"signal\" must be the name of a signal, not an integer"),
      ("stop = [{ signal = \"TERM\" }]", "the step SIGTERM needs a \"wait\": only KILL can do without"),
      (
        "stop = [{ request = \"POST /x\", socket = 3 }]",
        "\"socket\" must be the path of a Unix socket, not an integer"
      ),
      (
        "stop = [{ request = \"POST /x\", socket = \"\" }]",
        "\"socket\" must be the path of a Unix socket, not \"\""
      ),
      (
        "stop = [{ request = \"POST /x\", socket = \"/run/{port}\" }]", "\"{port}\" needs a \"port\""
      ),
      (
        "stop = [{ request = \"POST /x\", socket = \"/run/{path}\" }]",
        "\"{path}\" is only for [repositories]"
      ),
      (
        "stop = [{ signal = \"KILL\", socket = \"/run/x\" }]",
        "\"socket\" is where a \"request\" goes; a signal has none"
      ),
      (
        "stop = [{ request = \"POST /x\", socket = \"/run/\(String(repeating: "x", count: 103))\" }]",
        "the name of a Unix socket has at most 107 bytes, \"/run/\(String(repeating: "x", count: 103))\" has 108"
      ),
      ("stop = [{ wait = 1 }]", "a stop step has either a \"request\" or a \"signal\""),
      (
        "stop = [{ signal = \"TERM\", request = \"POST /\" }]",
        "a stop step has either a \"request\" or a \"signal\""
      ),
      (
        "stop = [{ signal = \"KILL\" }, { signal = \"INT\", wait = 1 }]",
        "nothing can follow KILL: the step before is the last"
      ),
      (
        "stop = [{ request = \"post /x\" }]",
        "\"request\" must be a method and a path such as \"POST /shutdown\", not \"post /x\""
      ),
      (
        "stop = [{ request = \"GET /x HTTP/1.1\" }]",
        "\"request\" must be a method and a path such as \"POST /shutdown\", not \"GET /x HTTP/1.1\""
      ),
      (
        "stop = [{ signal = \"TERM\", wait = \"45s\" }]",
        "the waits of \"stop\" add up to 45s, more than shutdown.workers (30s)"
      ),
      // Not in this version.
      ("check = { probe = \"tcp\" }", "\"check\" is not available in this version"),
      ("cleanup = [\"x\"]", "\"cleanup\" is not available in this version"),
      ("ready = \"fd\"", "ready = \"fd\" is not available in this version"),
      ("ready = \"exec:true\"", "ready = \"exec:true\" is not available in this version"),
    ])
  func worker(line: String, message: String) {
    #expect(
      complaints(about: SupervisionTests.worker(line), unavailable: self.unavailable(for: message))
        == ["procctl.toml:3: \(message)"])
  }

  @Test(
    "outside of workers",
    arguments: [
      ("[shutdwon]\n", "procctl.toml:1: unknown key \"shutdwon\", did you mean \"shutdown\"?"),
      (
        "[daemon]\n",
        "procctl.toml:1: unknown key \"daemon\": there is \"shutdown\", \"master\", \"workers\", \"cleanups\" "
          + "and \"repositories\""
      ),
      ("shutdown = 1\n", "procctl.toml:1: \"shutdown\" must be a table, not an integer"),
      ("[[master]]\n", "procctl.toml:1: \"master\" must be a table, not an array"),
      (
        "[master]\nhealth = \"x:1\"\n",
        "procctl.toml:2: \"health\" must be ADDRESS:PORT or unix:/PATH, not \"x:1\""
      ),
      (
        "[master]\nhealth = \"unix:run/health.sock\"\n",
        "procctl.toml:2: \"health\" must be ADDRESS:PORT or unix:/PATH, not \"unix:run/health.sock\""
      ),
      (
        "[master]\nhealth = \"[::1]:80\"\n[workers.a]\ncommand = [\"x\"]\nport = 80\n",
        "procctl.toml:2: port 80 of \"health\" is already taken by worker \"a\""
      ),
      (
        "[master]\ngroup = \"web\"\n", "procctl.toml:2: \"group\" of [master] needs \"user\""
      ),
      (
        "[master]\nuser = -1\n", "procctl.toml:2: \"user\" must be a name or a number, not -1"
      ),
      (
        "[master]\nlog-format = \"xml\"\n",
        "procctl.toml:2: \"log-format\" must be \"text\", \"json\" or \"journal\", not \"xml\""
      ),
      (
        "[master]\nlog-size = \"10X\"\n",
        "procctl.toml:2: \"log-size\" must be a size such as \"10M\", or 0 for no limit, not \"10X\""
      ),
      (
        "[master]\nlog-size = -1\n",
        "procctl.toml:2: \"log-size\" must be a size such as \"10M\", or 0 for no limit, not -1"
      ),
      (
        "[master]\nlog-keep = 100\n",
        "procctl.toml:2: \"log-keep\" must be an integer from 0 to 99, not 100"
      ),
      (
        "[master]\nlog-directory = \"/x\"\n[workers.debug]\ncommand = [\"x\"]\n",
        "procctl.toml:3: worker \"debug\": debug.log in \"log-directory\" is the master's own log"
      ),
      ("[master]\ncontrol = \"\"\n", "procctl.toml:2: \"control\" must be a path, not \"\""),
      (
        "[master]\ncontrol = \"/\(String(repeating: "s", count: 107))\"\n",
        "procctl.toml:2: \"control\" is longer than the 107 bytes a socket's path can have: /"
          + String(repeating: "s", count: 107)
      ),
      (
        "[shutdown]\nworkers = 5\ngraceful = 6\n",
        "procctl.toml:3: \"graceful\" (6s) must not be longer than \"workers\" (5s), of which it is the first part"
      ),
      ("[cleanups]\n", "procctl.toml:1: \"cleanups\" must be an array of tables, [[cleanups]], not a table"),
      ("[[cleanups]]\nname = \"x\"\n", "procctl.toml:1: the cleanup has no \"command\""),
      ("[[cleanups]]\ncommand = [\"x\"]\n", "procctl.toml:1: the cleanup has no \"name\""),
      (
        "[[cleanups]]\nname = \"x\"\ncommand = []\n",
        "procctl.toml:3: \"command\" must begin with the program to run, and it is empty"
      ),
      (
        "[[cleanups]]\nname = \"x\"\ncommand = [\"x\"]\n[[cleanups]]\nname = \"x\"\ncommand = [\"x\"]\n",
        "procctl.toml:5: there is a cleanup \"x\" already"
      ),
      ("[repositories]\ncommand = [\"x\"]\n", "procctl.toml:1: [repositories] has no \"file\""),
      (
        "[repositories]\ncommand = [\"x\"]\nfile = \"none.json\"\n",
        "procctl.toml:3: cannot read /etc/procctl/none.json: No such file or directory"
      ),
      ("workers.a = 1\n", "procctl.toml:1: worker \"a\" must be a table, not an integer"),
      ("[workers.a]\n", "procctl.toml:1: worker \"a\" has no \"command\""),
      (
        "[workers.\"-a\"]\ncommand = [\"x\"]\n",
        "procctl.toml:1: worker name \"-a\" must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and not begin "
          + "with \"-\""
      ),
    ])
  func elsewhere(text: String, message: String) {
    #expect(
      complaints(about: text + SupervisionTests.worker(""), unavailable: self.unavailable(for: message))
        == [message])
  }

  /// What is not available yet is checked all the same, for the day it is.
  private func unavailable(for message: String) -> [ConfigurationKey.Unavailable] {
    message.hasSuffix("is not available in this version") ? ConfigurationKey.unavailable : []
  }

  @Test(
    "with names no worker can have",
    arguments: ["", " ", "a b", "ä", "a/b", ".", "..", String(repeating: "x", count: 65)])
  func names(name: String) {
    let complaints = complaints(about: "[workers.'\(name)']\ncommand = [\"x\"]")
    #expect(complaints.count == 1)
    #expect(complaints.first?.hasPrefix("procctl.toml:1: worker name") == true)
  }

  @Test(
    "with names every worker can have",
    arguments: ["a", "A.b_c-9", "0", ".a", String(repeating: "x", count: 64)])
  func goodNames(name: String) {
    #expect(complaints(about: "[workers.'\(name)']\ncommand = [\"x\"]") == [])
  }

  @Test("without workers")
  func empty() {
    let message = "procctl.toml: there are no workers: add a table [workers.NAME] with a \"command\""
    #expect(complaints(about: "") == [message])
    #expect(complaints(about: "[workers]") == [message])
    #expect(
      complaints(about: "workers = []").first?.hasPrefix("procctl.toml:1: \"workers\" must be a table")
        == true)
  }

  @Test("when two workers want one port")
  func ports() {
    #expect(
      complaints(
        about: "[workers.a]\ncommand = [\"x\"]\nport = 80\n[workers.b]\nport = 80\ncommand = [\"x\"]\n") == [
          "procctl.toml:5: port 80 is already taken by worker \"a\" (procctl.toml:3)"
        ])
  }

  @Test("with everything that is wrong, in the order of the lines")
  func all() {
    let text = """
      [workers.a]
      comand = ["x"]
      port = "80"
      [shutdown]
      grace = 1
      clients = "soon"
      [workers.b]
      command = ["x",
        "{prot}",
        "{name",
      ]
      """
    #expect(
      complaints(about: text, environment: ["PROCCTL_SHUTDOWN_PORT_TIMEOUT": "x"]) == [
        "procctl.toml:1: worker \"a\" has no \"command\"",
        "procctl.toml:2: unknown key \"comand\", did you mean \"command\"?",
        "procctl.toml:3: \"port\" must be an integer from 1 to 65535, not a string",
        "procctl.toml:5: unknown key \"grace\", did you mean \"graceful\"?",
        "procctl.toml:6: \"clients\": \"soon\" is not a duration: write 250ms, 10s, 2m or 1h",
        "procctl.toml:9: unknown placeholder \"{prot}\", did you mean \"{port}\"? (\"{{\" stands for \"{\")",
        "procctl.toml:10: \"{\" without \"}\" in \"{name\" (\"{{\" stands for \"{\")",
        "PROCCTL_SHUTDOWN_PORT_TIMEOUT must be a number of seconds such as 10 or 2.5, not \"x\"",
      ])
  }

  @Test(
    "for its syntax, with the line",
    arguments: [
      ("a = \n", 1), ("[workers.a]\nport = 1\nport = 2\n", 3), ("[workers.a]\n[workers.a]\n", 2),
      ("x = \"abc\n", 1), ("[workers.a\n", 1), ("a = 1\n\n\nb c\n", 4), ("a = \u{1}", 1),
    ])
  func syntax(text: String, line: Int) {
    let complaints = complaints(about: text)
    #expect(complaints.count == 1)
    #expect(complaints.first?.hasPrefix("procctl.toml:\(line): ") == true, "\(complaints)")
  }

  @Test("for characters that would be cut off on the way")
  func zeros() {
    let message = "the character zero cannot be part of a configuration"
    #expect(complaints(about: "a = 1\nb = \u{0}") == ["procctl.toml:2: \(message)"])
    #expect(
      complaints(about: SupervisionTests.worker("user = \"a\\u0000b\"")) == ["procctl.toml:3: \(message)"])
  }
}
