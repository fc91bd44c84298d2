internal import CProcCtl
internal import Glibc
internal import ProcCtl
internal import Supervision
internal import SystemPackage

/// Finds out what a systemd unit says about stopping.
enum UnitQuery {
  /// systemd answers at once, or something is the matter with it.
  private static let patience = Duration.seconds(10)

  /// - Parameter unit: What looks like a path is a unit file's, and read as it is; the rest are names, and
  ///   systemd is asked.
  /// - Throws: `ProcessError`, or `Errno` of the file.
  static func settings(of unit: String) throws -> ServiceSettings {
    if unit.contains("/") {
      guard let content = try ProcFile.read(unit, limit: 1 << 20) else {
        throw ProcessError(
          .invalidArgument, doing: "read \(unit)", underlyingError: .noSuchFileOrDirectory)
      }
      return ServiceSettings(unitFile: String(decoding: content, as: UTF8.self))
    }
    let settings = ServiceSettings(shown: try self.show(unit))
    if let state = settings.loadState, state != "loaded" {
      throw ProcessError(.invalidArgument, doing: "systemd has no unit \(unit): \(state)")
    }
    guard settings.timeoutStop != nil else {
      throw ProcessError(
        .invalidArgument, doing: "systemd does not say how long it waits for \(unit) to stop")
    }
    return settings
  }

  private static func show(_ unit: String) throws -> String {
    let pipe = try Pipe()
    defer { close(pipe.readEnd.rawValue) }
    let kernel = LinuxKernel()
    var command = Command(
      .name("systemctl"),
      arguments: ["show", "--no-pager", "-p", ByteString(ServiceSettings.properties), "--", ByteString(unit)])
    command.environment = command.environment.setting("LC_ALL", to: "C")
    command.standardInput = .null
    command.standardOutput = .descriptor(pipe.writeEnd)
    // What it has to say of a machine without systemd would be lines beside ours.
    command.standardError = .null
    let child: ProcessIdentity
    do {
      defer { close(pipe.writeEnd.rawValue) }
      child = try kernel.spawn(command)
    }
    let text = self.read(pipe.readEnd.rawValue, until: .now.advanced(by: self.patience))
    if text == nil, let status = try kernel.status(of: child.processIdentifier) {
      _ = try kernel.send(.kill, to: status)
    }
    // It has closed its output, or was killed.
    var information = siginfo_t()
    _ = cprocctl_waitid(Int32(P_PID.rawValue), id_t(child.processIdentifier.value), &information, WEXITED)
    guard let text else {
      throw ProcessError(.wait, doing: "ask systemctl about \(unit)", underlyingError: .timedOut)
    }
    return text
  }

  /// Nil if its end did not come in time.
  private static func read(_ descriptor: Int32, until deadline: MonotonicInstant) -> String? {
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let left = MonotonicInstant.now.duration(to: deadline)
      var watch = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = poll(&watch, 1, Int32(clamping: max(left.wholeNanoseconds, 0) / 1_000_000))
      if ready < 0, errno == EINTR { continue }
      guard ready > 0 else { return nil }
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return String(decoding: content, as: UTF8.self) }
      content += buffer[..<count]
    }
  }
}
