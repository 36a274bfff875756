/// The texts of a regular expression: those of a pattern that meet what it looks ahead for at its beginning.
struct RegexLanguage {
  /// Something that texts begin with, or must not begin with.
  struct Condition {
    let pattern: BytePattern
    let isNegative: Bool
  }

  let pattern: BytePattern
  var conditions: [Condition] = []

  /// The automaton of these texts; `nil` when there are none.
  func automaton(work: inout Int) throws(ByteAutomaton.TooLarge) -> ByteAutomaton? {
    var texts = try ByteAutomaton.make(pattern, work: &work)
    for condition in conditions {
      guard let known = texts else { return nil }
      guard let ahead = try ByteAutomaton.make(condition.pattern, work: &work) else {
        if condition.isNegative { continue }
        return nil
      }
      texts = try ByteAutomaton.combine(known, ahead, work: &work) { $0 && $1 != condition.isNegative }
    }
    return texts
  }
}
