package import Tokenization

/// Bounds on what one rendering may use, so that a hostile template ends in an error.
package struct TemplateLimits: Sendable {
  /// Bytes of the output, and of any one string on the way.
  package var outputBytes = 16 << 20
  /// Evaluation steps: one per expression or statement, and one per element or 16 bytes that an operation makes.
  package var steps = 10_000_000
  /// Nested evaluations: expressions within statements within macro calls.
  package var depth = 160
  /// Elements of one list, and of one range (Jinja's sandbox has the same bound for ranges).
  package var elements = 100_000
  /// Nested lists, tuples and dictionaries in one value that a template builds.
  package var valueDepth = 200

  /// Ends the rendering once nobody waits for it.
  package var budget: WorkBudget?

  package init() {}

  /// Nested constructs in a template's text.
  static let syntaxDepth = 64
}
