internal import Glibc
internal import ProcCtl
internal import SystemdNotify

/// What systemd has told this process about itself.
enum ServiceFindings {
  static func all() -> [Finding] {
    var findings = [
      Finding(
        .systemd, "runs this machine", .note, access("/run/systemd/system", F_OK) == 0 ? "yes" : "no")
    ]
    if let address = getenv("NOTIFY_SOCKET") {
      findings.append(
        Finding(
          .systemd, "notify socket", obstacle: ServiceNotifier.obstacle().map { "\($0)" },
          otherwise: String(cString: address)))
    } else {
      findings.append(Finding(.systemd, "notify socket", .note, "NOTIFY_SOCKET is not set"))
    }
    do throws(NotificationError) {
      let watchdog = try Watchdog.fromEnvironment()
      findings.append(
        Finding(.systemd, "watchdog", .note, watchdog.map { "\($0.timeout.text)" } ?? "not asked for"))
    } catch {
      findings.append(Finding(.systemd, "watchdog", .no, "\(error)"))
    }
    return findings
  }
}
