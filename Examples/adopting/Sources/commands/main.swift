import ProcCtl

// Runs a command to its end. What it leaves in the background is gone when this returns.
let log = try await capture(
  Command(.name("sh"), arguments: ["-c", "sleep 1000 & echo started it"]), timeLimit: .seconds(10))
print(log.status, String(decoding: log.standardOutput, as: UTF8.self))

// Keeps a child and ends it later, with all it started: TERM, two seconds, KILL.
let children = try ChildProcesses()
let deaf = Command(.name("sh"), arguments: ["-c", "trap '' TERM; sleep 1000 & wait"])
let child = try await children.spawn(deaf)
let end = await child.terminate(.standard(grace: .seconds(2)))
print(end.status.map { "\($0)" } ?? "still there", end.survivors)
