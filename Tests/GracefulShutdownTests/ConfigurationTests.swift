import GracefulShutdown
import Testing

@Suite struct ConfigurationTests {
  @Test func defaults() {
    let configuration = ShutdownConfiguration()
    #expect(configuration.timeouts.requests == .seconds(30))
    #expect(configuration.timeouts.clients == .seconds(10))
    #expect(configuration.timeouts.cleanup == .seconds(10))
    #expect(configuration.timeouts.exit == .seconds(5))
    #expect(configuration.forcesAfterTimeout)
    #expect(configuration.signals.map(\.description) == ["SIGTERM", "SIGINT"])
  }

  @Test func theEnvironmentOverridesWhatItNames() throws {
    let base = ShutdownConfiguration(timeouts: ShutdownTimeouts(requests: .seconds(7)))
    let configuration = try ShutdownConfiguration(
      environment: [
        "MCP_SHUTDOWN_CLIENT_TIMEOUT": "2.5", "PROCCTL_SHUTDOWN_CLEANUP_TIMEOUT": "0", "PATH": "/bin",
      ], base: base)
    #expect(configuration.timeouts.requests == .seconds(7))
    #expect(configuration.timeouts.clients == .milliseconds(2500))
    #expect(configuration.timeouts.cleanup == .zero)
    let other = try ShutdownConfiguration(environment: ["PROCCTL_SHUTDOWN_REQUEST_TIMEOUT": "86400"])
    #expect(other.timeouts.requests == .seconds(86_400))
  }

  @Test(arguments: ["", "ten", "-1", "1e3", "nan", "inf", "86401", "1.", ".5", "1.2.3", " 1", "0x10"])
  func aWrongValueIsOneLineThatNamesIt(text: String) {
    let error = #expect(throws: ShutdownSetupError.self) {
      try ShutdownConfiguration(environment: ["MCP_SHUTDOWN_CLIENT_TIMEOUT": text])
    }
    #expect(error?.code == .invalidSetting)
    #expect(
      error?.description
        == "MCP_SHUTDOWN_CLIENT_TIMEOUT is \"\(text)\"; it must be a number of seconds from 0 to 86400")
  }

  @Test func whatIsNoSignalToWaitFor() {
    for number: Int32 in [-1, 0, 9, 11, 19, 32, 65] { #expect(ShutdownSignal(number: number) == nil) }
    #expect(ShutdownSignal(number: 15) == .terminate)
  }
}
