import Glibc

/// A program that starts processes through three libraries at once while it is
/// the subreaper of orphans, and checks that every library gets every status of
/// its own, and that every orphan is reaped.
///
///     reaping-host [--steal | --no-reaping]
///
/// Exit status: 0 if all is right, 1 if not, with a report; 64 for a bad command
/// line. With `--steal` a thread waits for any child, as a careless reaper
/// does; with `--no-reaping` nobody reaps the orphans. Both must be found wrong.
@main
struct Host {
  enum Mode: String {
    case cooperative
    case steal = "--steal"
    case noReaping = "--no-reaping"
  }

  /// How many children each library starts.
  static let count = 40
  /// How long everything may take. A stolen child may never be heard of again.
  static let limit = Duration.seconds(30)

  static func main() async {
    let words = CommandLine.arguments.dropFirst()
    guard words.count <= 1, let mode = words.first.map({ Mode(rawValue: $0) }) ?? .cooperative,
      mode != .cooperative || words.isEmpty
    else {
      print("usage: reaping-host [--steal | --no-reaping]")
      exit(64)
    }
    let ledger = Ledger(limit: self.limit)
    let procctl = await ProcCtlChildren(reaps: mode != .noReaping)
    if mode == .steal { Thief.start() }

    await withTaskGroup(of: Void.self) { group in
      for number in 1...self.count {
        // Distinct among all, and none of them 0, which is what a lost status looks like.
        let status = Int32(number + 20)
        group.addTask { ledger.enter(.foundation, status, await FoundationChildren.run(exiting: status)) }
        group.addTask { ledger.enter(.subprocess, status, await SubprocessChildren.run(exiting: status)) }
        group.addTask { ledger.enter(.procctl, status, await procctl.run(exiting: status)) }
        group.addTask { ledger.adopt(await OrphanMaker.make()) }
      }
    }
    ledger.close()
  }
}
