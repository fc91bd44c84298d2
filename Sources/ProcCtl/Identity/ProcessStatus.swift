/// One line of /proc/PID/stat (proc(5)): who a process is and whose child.
public struct ProcessStatus: Hashable, Sendable {
  /// The state letter the kernel shows.
  public struct State: Hashable, Sendable, CustomStringConvertible {
    /// The letter as an ASCII byte.
    public var letter: UInt8

    /// Takes any letter, for kernels have had more than those below.
    public init(letter: UInt8) {
      self.letter = letter
    }

    /// `R`: running, or ready to.
    public static let running = State(letter: UInt8(ascii: "R"))
    /// `S`: waits, and a signal wakes it.
    public static let sleeping = State(letter: UInt8(ascii: "S"))
    /// `D`: waits in the kernel, and not even KILL wakes it at once.
    public static let uninterruptible = State(letter: UInt8(ascii: "D"))
    /// `Z`: has ended, and its parent has not collected its status. See ``ProcessStatus/isDead``.
    public static let zombie = State(letter: UInt8(ascii: "Z"))
    /// `T`: stopped by a signal.
    public static let stopped = State(letter: UInt8(ascii: "T"))
    /// `t`: stopped by its tracer (ptrace(2)).
    public static let traced = State(letter: UInt8(ascii: "t"))
    /// `X`: on its way out.
    public static let dead = State(letter: UInt8(ascii: "X"))
    /// None of the kernel's: /proc hides the process (hidepid, proc(5)), which is there. Its start time is
    /// taken to be 0, which is nobody's.
    public static let unseen = State(letter: UInt8(ascii: "?"))

    /// The letter.
    public var description: String { String(UnicodeScalar(self.letter)) }
  }

  /// Which process it is, for good.
  public var identity: ProcessIdentity
  /// The name in parentheses: the program's file name, or whatever the process wrote there.
  public var name: ByteString
  /// What it was doing when the line was read.
  public var state: State
  /// The process it is a child of; 0 if that is outside this pid namespace.
  public var parent: ProcessIdentifier
  /// Its process group (getpgid(2)).
  public var processGroup: ProcessIdentifier
  /// Its session (getsid(2)).
  public var session: ProcessIdentifier
  /// How many threads it has; a leader that is a zombie still counts.
  public var threadCount: Int32

  /// Creates a status from known values; nothing is looked up.
  public init(
    identity: ProcessIdentity, name: ByteString, state: State, parent: ProcessIdentifier,
    processGroup: ProcessIdentifier, session: ProcessIdentifier, threadCount: Int32 = 1
  ) {
    self.identity = identity
    self.name = name
    self.state = state
    self.parent = parent
    self.processGroup = processGroup
    self.session = session
    self.threadCount = threadCount
  }

  /// The id alone.
  public var processIdentifier: ProcessIdentifier { self.identity.processIdentifier }

  /// Whether nothing of it runs any more. A leader can be shown as a zombie
  /// while its other threads still run: it is not dead then.
  public var isDead: Bool {
    (self.state == .zombie || self.state == .dead) && self.threadCount <= 1
  }

  /// Parses the line; nil if it is not one. The name may hold any byte, spaces
  /// and parentheses among them, so its end is the line's *last* parenthesis.
  package init?(parsing line: some RandomAccessCollection<UInt8>) {
    guard let open = line.firstIndex(of: UInt8(ascii: "(")),
      let close = line.lastIndex(of: UInt8(ascii: ")")), open < close,
      let pid = Int32(decimal: line[line.startIndex..<open])
    else { return nil }
    self.name = ByteString(bytes: line[line.index(after: open)..<close])

    // Fields are numbered as in proc(5); the state is field 3.
    var number = 3
    var state: UInt8?
    var parent: Int32?
    var group: Int32?
    var session: Int32?
    var threads: Int32?
    var startTime: UInt64?
    for field in line[line.index(after: close)...].split(separator: UInt8(ascii: " ")) {
      switch number {
      case 3: state = field.first
      case 4: parent = Int32(decimal: field)
      case 5: group = Int32(decimal: field)
      case 6: session = Int32(decimal: field)
      case 20: threads = Int32(decimal: field)
      case 22: startTime = UInt64(decimal: field)
      default: break
      }
      if number == 22 { break }
      number += 1
    }
    guard let state, let parent, let group, let session, let threads, let startTime else { return nil }
    self.identity = ProcessIdentity(processIdentifier: ProcessIdentifier(pid), startTime: startTime)
    self.state = State(letter: state)
    self.parent = ProcessIdentifier(parent)
    self.processGroup = ProcessIdentifier(group)
    self.session = ProcessIdentifier(session)
    self.threadCount = threads
  }
}

extension FixedWidthInteger {
  /// Reads decimal digits, after an optional minus and before optional blanks; nil for anything else.
  package init?(decimal bytes: some Sequence<UInt8>) {
    var value: Self = 0
    var negative = false
    var digits = 0
    var ended = false
    for (index, byte) in bytes.enumerated() {
      switch byte {
      case UInt8(ascii: "-") where index == 0 && Self.isSigned:
        negative = true
      case UInt8(ascii: "0")...UInt8(ascii: "9") where !ended:
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let digit = Self(byte - UInt8(ascii: "0"))
        let (sum, carry) =
          negative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
        guard !overflow, !carry else { return nil }
        value = sum
        digits += 1
      case UInt8(ascii: " ") where digits > 0, UInt8(ascii: "\n") where digits > 0:
        ended = true
      default:
        return nil
      }
    }
    guard digits > 0 else { return nil }
    self = value
  }
}
