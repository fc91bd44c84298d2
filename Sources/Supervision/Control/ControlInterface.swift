/// What the control socket offers, in the words of Varlink's interface definition language.
package enum ControlInterface {
  package static let name = "dev.procctl.Master"
  package static let service = "org.varlink.service"

  package static func description(of interface: String) -> String? {
    switch interface {
    case self.name: self.masterDescription
    case self.service: self.serviceDescription
    default: nil
    }
  }

  private static let masterDescription = """
    # A master of procctl: how it stands, and commands for its workers.
    interface dev.procctl.Master

    # state: waiting, starting, ready, stopping, verifying, backoff, blocked, stopped or failed.
    # seconds: for how long. clients: connections established on its port.
    # step: asked, or the signal last sent, while it is being stopped.
    type Worker (
      name: string,
      state: string,
      seconds: float,
      pid: ?int,
      port: ?int,
      clients: ?int,
      restarts: int,
      step: ?string,
      trouble: ?string
    )

    type Stop (reason: string, seconds: float, budget_seconds: float)

    # phase: running, stopping, sweeping, cleaning or ended.
    type Master (
      version: string,
      pid: int,
      configuration: string,
      phase: string,
      ready: bool,
      status: string,
      uptime_seconds: float,
      stop: ?Stop,
      workers: []Worker
    )

    # What changed: a worker's state, or, without one, how the whole stands, in words.
    type Event (
      phase: string,
      worker: ?string,
      state: ?string,
      pid: ?int,
      text: ?string
    )

    method Status() -> (master: Master)

    # Each returns when all of them are where they were to go, or cannot get there; at once if wait is false.
    method Start(workers: []string, wait: ?bool) -> (workers: []Worker)
    method Stop(workers: []string, wait: ?bool) -> (workers: []Worker)
    method Restart(workers: []string, wait: ?bool) -> (workers: []Worker)

    # Ends the master, as SIGTERM does. Returns when that has begun.
    method StopMaster() -> ()

    # With more: how it stands, then each change.
    method Monitor() -> (master: ?Master, event: ?Event)

    error NoSuchWorker (worker: string)
    # The master is being stopped and takes no commands.
    error Stopping (reason: string)

    """

  private static let serviceDescription = """
    # What every Varlink service offers.
    interface org.varlink.service

    method GetInfo() -> (
      vendor: string,
      product: string,
      version: string,
      url: string,
      interfaces: []string
    )

    method GetInterfaceDescription(interface: string) -> (description: string)

    error InterfaceNotFound (interface: string)
    error MethodNotFound (method: string)
    error MethodNotImplemented (method: string)
    error InvalidParameter (parameter: string)
    error PermissionDenied ()
    error ExpectedMore ()

    """
}
