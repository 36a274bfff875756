package import JSON
internal import Synchronization
package import Tokenization

/// Makes constraints for one model, and keeps what it has compiled for requests to come.
///
/// ```swift
/// let compiler = try ConstraintCompiler(tokenizer, endTokens: model.endOfTextTokens)
/// request.constraint = try compiler.jsonSchema(#"{"type": "object", "properties": {"name": {"type": "string"}}}"#)
/// ```
package final class ConstraintCompiler: Sendable {
  /// The model's tokens.
  package let vocabulary: TokenVocabulary
  private let shared = SharedMasks()
  private let cache = Mutex(Cache())

  fileprivate struct Cache {
    var grammars: [String: CompiledGrammar] = [:]
    /// Keys, the one used longest ago first.
    var order: [String] = []
    static let capacity = 16
    /// Longer keys, those of large schemas, are not worth their memory.
    static let longestKey = 64 << 10
  }

  /// Steps that making one constraint may take unless told otherwise: seconds.
  package static let defaultSteps = 60_000_000

  /// A compiler for the model with this tokenizer, whose answers end with one of `endTokens`.
  ///
  /// - Parameter textTokens: control tokens that are text to answers, such as the tag of a call.
  /// - Throws: `ConstraintError` when no answer could be constrained with this vocabulary.
  package init(
    _ tokenizer: Tokenizer, endTokens: Set<TokenID>, textTokens: Set<TokenID> = []
  ) throws(ConstraintError) {
    vocabulary = try TokenVocabulary(tokenizer, endTokens: endTokens, textTokens: textTokens)
  }

  /// JSON mode: any JSON object.
  package func jsonObject(reasoning: ReasoningPrefix = .none) throws(ConstraintError) -> GrammarConstraint {
    try constraint(.jsonObject, reasoning: reasoning, budget: nil)
  }

  /// JSON that is valid for a schema given as text.
  ///
  /// - Throws: `ConstraintError` for text that is no schema, and for a schema that cannot be kept to.
  package func jsonSchema(
    _ text: String, reasoning: ReasoningPrefix = .none, budget: WorkBudget? = nil
  ) throws(ConstraintError) -> GrammarConstraint {
    let schema: JSONValue
    do { schema = try JSONValue(parsing: text) } catch {
      throw ConstraintError(path: "", message: "the schema is not JSON: \(error)")
    }
    return try jsonSchema(schema, reasoning: reasoning, budget: budget)
  }

  /// JSON that is valid for a schema.
  ///
  /// - Parameters:
  ///   - path: JSON pointer to the schema in what the client sent; the paths of errors begin with it.
  ///   - budget: the steps that compiling may take; `defaultSteps` when `nil`.
  /// - Throws: `ConstraintError` for a schema that cannot be kept to.
  package func jsonSchema(
    _ schema: JSONValue, at path: String = "", reasoning: ReasoningPrefix = .none, budget: WorkBudget? = nil
  ) throws(ConstraintError) -> GrammarConstraint {
    try constraint(.jsonSchema(schema, path: path), reasoning: reasoning, budget: budget)
  }

  /// One of some texts.
  package func choice(
    _ texts: [String], at path: String = "", reasoning: ReasoningPrefix = .none, budget: WorkBudget? = nil
  ) throws(ConstraintError) -> GrammarConstraint {
    try constraint(.choice(texts, path: path), reasoning: reasoning, budget: budget)
  }

  /// Text that a regular expression (ECMA-262) matches as a whole.
  ///
  /// - Throws: `ConstraintError` for an expression that no finite automaton of reasonable size can keep to.
  package func regex(
    _ expression: String, at path: String = "", reasoning: ReasoningPrefix = .none, budget: WorkBudget? = nil
  ) throws(ConstraintError) -> GrammarConstraint {
    try constraint(.regex(expression, path: path), reasoning: reasoning, budget: budget)
  }

  private func constraint(
    _ format: ResponseFormat, reasoning: ReasoningPrefix, budget: WorkBudget?
  ) throws(ConstraintError) -> GrammarConstraint {
    try constraint(key: format.key, reasoning: reasoning, budget: budget) { builder throws in
      try builder.answer(format, after: reasoning)
    }
  }

  /// The constraint kept under `key`, or made by `build`, which returns the root.
  ///
  /// - Parameters:
  ///   - isFree: whether what `build` describes may be any text.
  ///   - budget: the steps that `build` may take.
  func constraint(
    key: String, reasoning: ReasoningPrefix, isFree: Bool = false, budget: WorkBudget?,
    build: (inout GrammarBuilder) throws -> Int
  ) throws(ConstraintError) -> GrammarConstraint {
    let key = "\(reasoning) \(key)"
    if let known = cache.withLock({ $0.find(key) }) { return GrammarConstraint(known) }
    let grammar: Grammar?
    do {
      var builder = GrammarBuilder(budget: budget ?? WorkBudget(steps: Self.defaultSteps))
      let answer = try build(&builder)
      let root =
        try isFree
        ? builder.adding(reasoning, beforeFree: answer) : builder.adding(reasoning, before: answer)
      grammar = builder.grammar(root: root, vocabulary: vocabulary)
    } catch let error as ConstraintError {
      throw error
    } catch {
      throw ConstraintError(path: "", message: "the schema is too large")
    }
    guard let grammar else {
      let writers = vocabulary.writable == nil ? "" : " that this model has tokens for"
      throw ConstraintError(path: "", message: "no finite text\(writers) matches the form that is asked for")
    }
    let compiled = CompiledGrammar(grammar: grammar, vocabulary: vocabulary, shared: shared)
    cache.withLock { $0.keep(compiled, key) }
    return GrammarConstraint(compiled)
  }
}

extension ConstraintCompiler.Cache {
  fileprivate mutating func find(_ key: String) -> CompiledGrammar? {
    guard let known = grammars[key] else { return nil }
    order.removeAll { $0 == key }
    order.append(key)
    return known
  }

  fileprivate mutating func keep(_ grammar: CompiledGrammar, _ key: String) {
    guard key.utf8.count <= Self.longestKey else { return }
    if grammars.updateValue(grammar, forKey: key) == nil { order.append(key) }
    if order.count > Self.capacity { grammars[order.removeFirst()] = nil }
  }
}
