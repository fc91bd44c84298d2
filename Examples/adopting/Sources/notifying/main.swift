import SystemdNotify

// What a .socket unit, or a worker's `listen = "inherit"`, has opened for us.
let sockets = try ListenDescriptors.inherited()
let notifier = try ServiceNotifier()
try notifier.ready(status: "sockets handed to us: \(sockets.count)")

// A turn of the loop takes at most half of what the watchdog allows, and vouches for the loop at its end.
let longestTurn = try Watchdog.fromEnvironment()?.pingInterval
while let turn = StandardInput.wait(atMost: longestTurn) {
  if case .line(let line) = turn { print("answer to \(line)") }
  try notifier.watchdogPing()
}
try notifier.stopping(status: "no more input")
