internal import Inference
internal import JSON
internal import StructuredOutput
internal import Synchronization
internal import Tokenization

/// Makes the model's constraint compiler when the first request needs it.
final class ConstraintSource: Sendable {
  private let model: ModelSource
  private let textTokens: Set<TokenID>
  private let made = Mutex<ConstraintCompiler?>(nil)

  /// - Parameter textTokens: control tokens that are text to answers.
  init(model: ModelSource, textTokens: Set<TokenID>) {
    self.model = model
    self.textTokens = textTokens
  }

  /// The compiler.
  ///
  /// - Throws: 400 when no answer of this model can be constrained.
  func compiler() throws(APIError) -> ConstraintCompiler {
    do {
      return try made.withLock { made throws(ConstraintError) in
        if let made { return made }
        let compiler = try ConstraintCompiler(
          model.tokenizer, endTokens: model.endOfTextTokens, textTokens: textTokens)
        made = compiler
        return compiler
      }
    } catch {
      throw APIError(error)
    }
  }

  /// The form that a request asks its answer to have.
  ///
  /// - Throws: 400 naming the part of the request that is malformed.
  static func form(_ fields: JSONFields) throws(APIError) -> ResponseFormat {
    do { return try ResponseFormat(request: .object(fields.object)) } catch { throw APIError(error) }
  }

  /// What keeps an answer to a form; `nil` for free text.
  ///
  /// - Throws: 400 naming the part of the request that cannot be kept to.
  func constraint(
    for form: ResponseFormat, reasoning: ReasoningPrefix, budget: WorkBudget
  ) throws(APIError) -> GrammarConstraint? {
    guard form != .text else { return nil }
    let compiler = try compiler()
    do { return try compiler.constraint(for: form, reasoning: reasoning, budget: budget) } catch {
      throw APIError(error)
    }
  }
}
