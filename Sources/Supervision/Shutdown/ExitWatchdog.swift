internal import CProcCtlChild
internal import ProcCtl

/// Sees to it that a process whose work is done ends: a log that nobody reads, a disk that does not
/// answer, or somebody's atexit(3) function could keep it for ever.
///
/// A signal interrupts whatever it hangs in, but for what waits uninterruptibly (state D, proc(5)):
/// from that not even SIGKILL helps.
enum ExitWatchdog {
  /// Ends this process with the status once the time is over; called again, the time starts anew.
  ///
  /// Uses SIGALRM and ITIMER_REAL of setitimer(2), and changes nothing else.
  static func arm(within time: Duration, status: Int32) {
    let (seconds, attoseconds) = max(time, .milliseconds(1)).components
    procctl_exit_within(
      Int32(
        clamping: seconds.multipliedReportingOverflow(by: 1000).partialValue + attoseconds
          / 1_000_000_000_000_000),
      status)
  }
}
