internal import ArgumentParser
internal import ProcCtl
internal import Supervision

struct DoctorCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Says what this machine lets procctl do, and why not.",
    discussion: """
      Everything is tried where that is cheap and harmless, with the rights of whoever runs it, and \
      nothing is left behind.

      Exit status: 0 if procctl can do its work here; 69 if something essential is missing; 64 usage.
      """)

  @Flag(help: "Write one line of JSON.")
  var json = false

  func execute(command: [ByteString]?) -> Int32 {
    let report = MachineReport.current()
    if self.json {
      JSONLine.write(DoctorRecord(report), to: 1)
    } else {
      Message.write(DoctorText.text(of: report), to: 1)
    }
    for missing in report.missing { Message.error("cannot do without: \(missing.name): \(missing.detail)") }
    return report.isUsable ? ExitStatus.success : ExitStatus.unavailable
  }
}
