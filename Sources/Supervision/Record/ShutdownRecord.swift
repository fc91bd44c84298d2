/// The account of one shutdown: what was decided, what was done to whom and when, and what it led to.
///
/// As JSON its keys are in snake case, and every time is a number of microseconds: `began` since 1970, all
/// others on the monotonic clock, since the stop began or as a span.
package struct ShutdownRecord: Codable, Sendable, Equatable {
  package struct Phase: Codable, Sendable, Equatable {
    package var name: String
    package var start: Microseconds
    package var duration: Microseconds
    /// What came of it, in a few words.
    package var outcome: String
    /// Workers that had ended when it was over.
    package var workersEnded: Int
    /// The system as it began.
    package var snapshot: SystemSnapshot?
  }

  package struct StateChange: Codable, Sendable, Equatable {
    package var at: Microseconds
    package var state: String
    package var why: String?
  }

  /// A request to stop, and what came of it.
  package struct Request: Codable, Sendable, Equatable {
    package var at: Microseconds
    package var method: String
    package var path: String
    /// Nil if there was no answer before the worker ended or was signalled.
    package var answered: Microseconds?
    /// Why it was not agreed to.
    package var refusal: String?
  }

  /// KILL comes again and again until nobody is left; the same in a row is one.
  package struct SentSignal: Codable, Sendable, Equatable {
    /// The first time.
    package var at: Microseconds
    package var signal: String
    /// To how many it went at once, at most; SIGKILL goes to the same ones until they are gone.
    package var processes: Int
    package var times: Int
  }

  package struct ClientCount: Codable, Sendable, Equatable {
    package var at: Microseconds
    package var connected: Int
  }

  /// A look at the port after the end; equal ones in a row are one.
  package struct PortCheck: Codable, Sendable, Equatable {
    package var at: Microseconds
    /// Nil if it was free.
    package var holder: String?
    package var looks: Int
  }

  package struct LeaderEnd: Codable, Sendable, Equatable {
    package var at: Microseconds
    package var exitStatus: Int32?
    package var signal: String?
    package var coreDumped: Bool?
  }

  /// One worker's part.
  package struct Lane: Codable, Sendable, Equatable {
    package var name: String
    package var port: UInt16?
    package var pid: Int32?
    /// The first is the state the stop found it in.
    package var states: [StateChange]
    package var requests: [Request] = []
    package var signals: [SentSignal] = []
    package var clients: [ClientCount] = []
    package var clientsForced = 0
    package var portChecks: [PortCheck] = []
    package var leaderEnd: LeaderEnd?
    /// `none`, `signal` or `kill`: how hard it had to be pushed.
    package var force = "none"
    /// Until it was stopped or had failed; nil if it never was.
    package var duration: Microseconds?
  }

  package struct Leftover: Codable, Sendable, Equatable {
    package var at: Microseconds
    package var worker: String?
    package var what: String
    package var isCleaned: Bool
  }

  package struct Cleanup: Codable, Sendable, Equatable {
    package var name: String
    package var start: Microseconds
    package var duration: Microseconds?
    package var failure: String?
  }

  package static let currentVersion = 1

  package var version = ShutdownRecord.currentVersion
  /// What is stopped: the configuration's path, or `default`.
  package var configuration: String
  /// The process id of the master.
  package var master: Int32
  package var reason = ""
  /// Since 1970 by the wall clock; nothing is computed from it.
  package var began: Microseconds
  package var duration = Microseconds(0)
  /// The longest it could have taken.
  package var budget = Microseconds(0)
  package var exitStatus: Int32 = 0
  package var summary = ""
  package var phases: [Phase] = []
  package var workers: [Lane] = []
  package var leftovers: [Leftover] = []
  package var cleanups: [Cleanup] = []
  package var heldPorts: [String] = []
  package var survivors: [String] = []
  package var failedCleanups: [String] = []
  package var internalErrors: [String] = []

  package init(configuration: String, master: Int32, began: Microseconds) {
    self.configuration = configuration
    self.master = master
    self.began = began
  }
}
