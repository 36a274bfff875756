internal import Tokenization

/// What compiling a schema costs, counted against a request's budget.
enum SchemaSteps {
  /// A look at one part of a schema takes as long as this many steps of an automaton's construction.
  static let perStep = 16

  static func exhausted(at pointer: String) -> ConstraintError {
    ConstraintError(path: pointer, message: "takes too many steps to compile; expected a smaller or plainer schema")
  }

  /// Calls `body` with the steps that one automaton may take, and spends those that it took.
  static func withWork<Result>(
    _ budget: WorkBudget, _ body: (inout Int) throws(ByteAutomaton.TooLarge) -> Result
  ) throws(ByteAutomaton.TooLarge) -> Result {
    let most = min(ByteAutomaton.Limit.work, budget.remaining)
    var work = most
    defer { _ = budget.spend(most - work) }
    return try body(&work)
  }
}
