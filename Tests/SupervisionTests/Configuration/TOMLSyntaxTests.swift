import Supervision
import Testing

@Suite("The structure of a TOML text")
struct TOMLSyntaxTests {
  @Test(
    "is refused with its line, not with an abort of the library",
    arguments: [
      ("a = [}", "procctl.toml:1: expected a value, found \"}\""),
      ("a = [\n1,\n}", "procctl.toml:3: expected a value, found \"}\""),
      ("a = {b = 1, }", "procctl.toml:1: expected a key, found \"}\""),
      ("a. = 1", "procctl.toml:1: expected a key, found \"=\""),
      ("a = {\nb = 1}", "procctl.toml:1: expected a key, found the end of the line"),
      ("a = \"x", "procctl.toml:1: the string has no end on its line"),
      ("\na = '''x\n\n", "procctl.toml:2: the string that begins here has no end"),
      ("[a\nb]", "procctl.toml:1: expected \"]\" to close the table's name, found the end of the line"),
      ("[[a]", "procctl.toml:1: expected \"]]\" to close the table's name"),
      ("a = 1 b = 2", "procctl.toml:1: unexpected \"b\": a line ends here, or a comment begins"),
      ("a", "procctl.toml:1: expected \"=\" after the key, found the end of the file"),
      ("= 1", "procctl.toml:1: expected a key, found \"=\""),
    ])
  func refused(text: String, message: String) {
    #expect(complaints(about: text) == [message])
  }

  @Test(
    "may be anything TOML allows",
    arguments: [
      "\"quoted key\".'another' . bare = 1", "x = [ [1, 2,], # comment ]\n 'a', \"\"\"b\n]\"\"\", ]",
      "x = {}",
      "x = { a.b = 1, c = { d = [] } }", "x = 1979-05-27 07:32:00Z", "x = 1979-05-27T07:32:00",
      "x = +1_000.5e-3",
      "x = \"\"\"two quotes \"\"\"\"\"", "x = '''it's'''", "x = \"a\\\"b\"", "x = inf", "x\t=\t1\r",
    ])
  func allowed(line: String) {
    let complaints = complaints(about: "[other]\n" + line + "\n" + worker(""))
    #expect(complaints.allSatisfy { $0.contains("unknown key \"other\"") }, "\(complaints)")
    #expect(!complaints.isEmpty)
  }
}
