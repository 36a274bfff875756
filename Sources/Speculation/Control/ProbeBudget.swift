/// The time that may be spent on finding out whether a silent draft has become good again: a share of all time, whatever
/// the number of sequences.
package struct ProbeBudget {
  private var seconds = 0.0

  package init() {}

  private static let share = 0.01
  /// Plain passes whose time can be saved up.
  private static let most = 10.0

  /// A step whose plain pass takes `plain` seconds goes by.
  package mutating func pass(_ plain: Double) { seconds = min(seconds + Self.share * plain, Self.most * plain) }

  /// Takes `cost` seconds if there are as many.
  package mutating func take(_ cost: Double) -> Bool {
    guard cost <= seconds else { return false }
    seconds -= cost
    return true
  }
}
