/// Runs the cleanups after everything else, last registered first.
package protocol CleanupRunner: AnyObject {
  /// The longest all of them may take.
  var longest: Duration { get }

  /// Ends the cleanup that runs, as failed, and goes on to the next.
  func hurry()

  /// Ends the cleanup that runs by KILL and skips the rest, all as failed.
  func kill()

  /// Processes that a cleanup left and that could not be ended, as text: who and why.
  var survivors: [String] { get }

  /// Calls back once with the failed ones, as text.
  func run(completion: @escaping ([String]) -> Void)
}

extension CleanupRunner {
  package var survivors: [String] { [] }
}
