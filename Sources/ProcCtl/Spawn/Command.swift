public import SystemPackage

/// Everything needed to start one program: what to execute and how the child
/// is set up before it.
///
/// A child always starts with default signal actions, no blocked signals, and
/// none of our descriptors but the standard three and those listed.
public struct Command: Sendable {
  /// Where one of the child's standard streams goes. Cases may be added.
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
    /// The descriptor here. It stays open, and may be close-on-exec.
    public var source: FileDescriptor
    /// Its number in the child.
    public var target: FileDescriptor

    /// Creates a descriptor to be handed down.
    public init(source: FileDescriptor, target: FileDescriptor) {
      self.source = source
      self.target = target
    }
  }

  /// The session and process group the child starts in. Cases may be added.
  public enum Session: Sendable, Equatable {
    /// A session of its own, without a terminal: the child is session and group leader.
    case new
    /// A process group of its own in our session. With a terminal, the group
    /// becomes its foreground group before the program starts.
    case newGroup(foregroundOf: FileDescriptor?)
    /// Our session and group.
    case inherited
  }

  /// The program.
  public var executable: Executable
  /// Arguments after the program's name.
  public var arguments: [ByteString]
  /// argv[0]; nil for the executable as given.
  public var argumentZero: ByteString?
  /// The child's environment.
  public var environment: Environment
  /// The child's working directory; nil for ours.
  public var directory: FilePath?
  /// Where the child reads from.
  public var standardInput: StandardStream
  /// Where the child writes to.
  public var standardOutput: StandardStream
  /// Where the child complains.
  public var standardError: StandardStream
  /// What the child has open besides its standard streams.
  public var passedDescriptors: [PassedDescriptor]
  /// The session and process group the child starts in.
  public var session: Session
  /// What posix_spawn(3) cannot set up; a default value means nothing.
  public var setup: ChildSetup

  /// Creates a command; nothing is looked up or opened before it is spawned.
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
