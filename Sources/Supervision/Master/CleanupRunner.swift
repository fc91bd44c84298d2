/// Runs the cleanups after everything else, last registered first.
package protocol CleanupRunner: AnyObject {
  /// The longest all of them may take.
  var longest: Duration { get }

  /// Calls back once with the failed ones, as text.
  func run(completion: @escaping ([String]) -> Void)
}
