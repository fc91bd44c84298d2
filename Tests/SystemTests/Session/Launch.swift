import CProcCtl
import Glibc

/// A program a test starts, and what it starts with.
struct Launch: Sendable {
  enum Stream: Sendable {
    case null
    case closed
    /// A pipe of which the test has the other end.
    case pipe
    case descriptor(Int32)
  }

  var program: String
  var arguments: [Bytes] = []
  /// Added to the test's own.
  var environment: [Bytes] = []
  var input = Stream.null
  var output = Stream.pipe
  var errors = Stream.pipe
  /// Further descriptors: ours, and the number the program sees it under.
  var passed: [(own: Int32, as: Int32)] = []
  /// Actions of test-workload before it becomes the program: signals to ignore or block, say.
  var prelude: [Bytes] = []
  /// The slave side of a terminal: it becomes the controlling one and all three streams.
  var terminal: String?

  init(_ program: String, _ arguments: [Bytes] = []) {
    self.program = program
    self.arguments = arguments
  }

  /// The program with its prelude in front.
  private var words: [Bytes] {
    let own = [Bytes(self.program)] + self.arguments
    return self.prelude.isEmpty ? own : [Bytes(Programs.workload)] + self.prelude + ["exec"] + own
  }

  /// What a start leaves in the test's hands.
  struct Started {
    var pid: pid_t
    var input: Int32?
    var output: Int32?
    var errors: Int32?
  }

  /// Starts it in a session of its own.
  func start(environment: [Bytes]) throws -> Started {
    var started = Started(pid: 0)
    var toClose: [Int32] = []
    defer { for descriptor in toClose { close(descriptor) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }

    /// Out of the way of the numbers the child's descriptors get.
    func raised(_ descriptor: Int32) throws -> Int32 {
      let high = cprocctl_fcntl(descriptor, F_DUPFD_CLOEXEC, 200)
      guard high >= 0 else { throw WaitError("dup: \(errno)") }
      toClose.append(high)
      return high
    }

    func pipe(childReads: Bool) throws -> (child: Int32, own: Int32) {
      var ends: [Int32] = [-1, -1]
      guard pipe2(&ends, O_CLOEXEC) == 0 else { throw WaitError("pipe: \(errno)") }
      toClose.append(childReads ? ends[0] : ends[1])
      let own = childReads ? ends[1] : ends[0]
      _ = cprocctl_fcntl(own, F_SETFL, cprocctl_fcntl(own, F_GETFL, 0) | O_NONBLOCK)
      return (toClose[toClose.count - 1], own)
    }

    func connect(_ stream: Stream, to number: Int32) throws -> Int32? {
      switch stream {
      case .null:
        posix_spawn_file_actions_addopen(&actions, number, "/dev/null", number == 0 ? O_RDONLY : O_WRONLY, 0)
      case .closed:
        posix_spawn_file_actions_addclose(&actions, number)
      case .pipe:
        let (child, own) = try pipe(childReads: number == 0)
        posix_spawn_file_actions_adddup2(&actions, try raised(child), number)
        return own
      case .descriptor(let descriptor):
        posix_spawn_file_actions_adddup2(&actions, try raised(descriptor), number)
      }
      return nil
    }

    if let terminal = self.terminal {
      // The first terminal a session leader opens becomes its controlling one (tty_ioctl(4)).
      posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
      posix_spawn_file_actions_adddup2(&actions, 0, 1)
      posix_spawn_file_actions_adddup2(&actions, 0, 2)
    } else {
      started.input = try connect(self.input, to: 0)
      started.output = try connect(self.output, to: 1)
      started.errors = try connect(self.errors, to: 2)
    }
    for (own, number) in self.passed { posix_spawn_file_actions_adddup2(&actions, try raised(own), number) }
    posix_spawn_file_actions_addclosefrom_np(&actions, (self.passed.map(\.as).max() ?? 2) + 1)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var every = sigset_t()
    sigfillset(&every)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &every)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(
      &attributes,
      Int16(CPROCCTL_SPAWN_SETSID) | Int16(CPROCCTL_SPAWN_SETSIGDEF) | Int16(CPROCCTL_SPAWN_SETSIGMASK))

    let words = self.words
    let failure = words.withCStrings { argv in
      (environment + self.environment).withCStrings { envp in
        argv[0].map { posix_spawn(&started.pid, $0, &actions, &attributes, argv, envp) } ?? EINVAL
      }
    }
    guard failure == 0 else {
      for own in [started.input, started.output, started.errors] { if let own { close(own) } }
      throw WaitError("cannot start \(self.program): error \(failure)")
    }
    return started
  }
}
