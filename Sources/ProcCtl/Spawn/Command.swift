public import SystemPackage

/// Everything needed to start one program: what to execute and how the child
/// is set up before it.
///
/// A child always starts with default signal actions, no blocked signals, and
/// none of our descriptors but the standard three and those listed.
public struct Command: Sendable {
  /// Where one of the child's standard streams goes.
  public enum StandardStream: Sendable {
    /// The stream of this process, untouched.
    case inherited
    /// /dev/null.
    case null
    /// This descriptor, which stays open in the parent.
    case descriptor(FileDescriptor)
  }

  /// A descriptor of this process handed down under a number of its own.
  public struct PassedDescriptor: Sendable {
    public var source: FileDescriptor
    public var target: FileDescriptor

    public init(source: FileDescriptor, target: FileDescriptor) {
      self.source = source
      self.target = target
    }
  }

  /// The session and process group the child starts in.
  public enum Session: Sendable, Equatable {
    /// A session of its own, without a terminal: the child is session and group leader.
    case new
    /// A process group of its own in our session. With a terminal, the group
    /// becomes its foreground group before the program starts.
    case newGroup(foregroundOf: FileDescriptor?)
    /// Our session and group.
    case inherited
  }

  public var executable: Executable
  /// Arguments after the program's name.
  public var arguments: [ByteString]
  /// argv[0]; nil for the executable as given.
  public var argumentZero: ByteString?
  public var environment: Environment
  /// The child's working directory; nil for ours.
  public var directory: FilePath?
  public var standardInput: StandardStream
  public var standardOutput: StandardStream
  public var standardError: StandardStream
  public var passedDescriptors: [PassedDescriptor]
  public var session: Session
  /// What posix_spawn(3) cannot set up; a default value means nothing.
  public var setup: ChildSetup

  public init(
    _ executable: Executable, arguments: [ByteString] = [], environment: Environment = .inherit,
    directory: FilePath? = nil, standardInput: StandardStream = .inherited,
    standardOutput: StandardStream = .inherited, standardError: StandardStream = .inherited,
    passedDescriptors: [PassedDescriptor] = [], session: Session = .new, setup: ChildSetup = ChildSetup()
  ) {
    self.executable = executable
    self.arguments = arguments
    self.argumentZero = nil
    self.environment = environment
    self.directory = directory
    self.standardInput = standardInput
    self.standardOutput = standardOutput
    self.standardError = standardError
    self.passedDescriptors = passedDescriptors
    self.session = session
    self.setup = setup
  }
}
