internal import Speculation
internal import StructuredOutput
internal import Synchronization
internal import Tokenization

/// Makes the model's constraint compiler when the first request needs it.
final class ConstraintSource: Sendable {
  private let model: ModelDirectory
  private let made = Mutex<ConstraintCompiler?>(nil)

  init(model: ModelDirectory) { self.model = model }

  /// The compiler.
  ///
  /// - Throws: 400 when no answer of this model can be constrained.
  func compiler() throws(APIError) -> ConstraintCompiler {
    do {
      return try made.withLock { made throws(ConstraintError) in
        if let made { return made }
        let compiler = try ConstraintCompiler(model.tokenizer, endTokens: model.endOfTextTokens)
        made = compiler
        return compiler
      }
    } catch {
      throw APIError(error)
    }
  }

  /// The constraint for the form that a request asks for; `nil` for free text.
  ///
  /// - Throws: 400 naming the part of the request that is malformed or cannot be kept to.
  func constraint(
    _ fields: JSONFields, reasoning: ReasoningPrefix, budget: WorkBudget
  ) throws(APIError) -> GrammarConstraint? {
    do {
      let format = try ResponseFormat(request: .object(fields.object))
      guard format != .text else { return nil }
      let compiler = try compiler()
      do { return try compiler.constraint(for: format, reasoning: reasoning, budget: budget) } catch {
        throw APIError(error)
      }
    } catch let error as ConstraintError {
      throw APIError(error)
    } catch let error as APIError {
      throw error
    } catch {
      throw .badRequest("\(error)", parameter: "response_format")
    }
  }
}
