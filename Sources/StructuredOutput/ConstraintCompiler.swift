internal import Synchronization
public import Tokenization

/// Makes constraints for one model, and keeps what it has compiled for requests to come.
///
/// ```swift
/// let compiler = try ConstraintCompiler(tokenizer, endTokens: model.endOfTextTokens)
/// request.constraint = try compiler.jsonSchema(#"{"type": "object", "properties": {"name": {"type": "string"}}}"#)
/// ```
public final class ConstraintCompiler: Sendable {
  /// The model's tokens.
  public let vocabulary: TokenVocabulary
  private let shared = SharedMasks()
  private let cache = Mutex(Cache())

  fileprivate struct Cache {
    var grammars: [String: CompiledGrammar] = [:]
    /// Keys, the one used longest ago first.
    var order: [String] = []
    static let capacity = 16
  }

  /// A compiler for the model with this tokenizer, whose answers end with one of `endTokens`.
  ///
  /// - Parameter textTokens: control tokens that are text to answers, such as the tag of a call.
  /// - Throws: `ConstraintError` when no answer could be constrained with this vocabulary.
  public init(
    _ tokenizer: Tokenizer, endTokens: Set<TokenID>, textTokens: Set<TokenID> = []
  ) throws(ConstraintError) {
    vocabulary = try TokenVocabulary(tokenizer, endTokens: endTokens, textTokens: textTokens)
  }

  /// JSON mode: any JSON object.
  public func jsonObject(reasoning: ReasoningPrefix = .none) throws(ConstraintError) -> GrammarConstraint {
    try constraint(key: "json_object", reasoning: reasoning) { builder throws in
      try builder.node(of: .jsonObject)
    }
  }

  /// JSON that is valid for a schema given as text.
  ///
  /// - Throws: `ConstraintError` for text that is no schema, and for a schema that cannot be kept to.
  public func jsonSchema(
    _ text: String, reasoning: ReasoningPrefix = .none
  ) throws(ConstraintError) -> GrammarConstraint {
    let schema: JSONValue
    do { schema = try JSONValue(parsing: text) } catch {
      throw ConstraintError(path: "", message: "the schema is not JSON: \(error)")
    }
    return try jsonSchema(schema, reasoning: reasoning)
  }

  /// JSON that is valid for a schema.
  ///
  /// - Parameter path: JSON pointer to the schema in what the client sent; the paths of errors begin with it.
  /// - Throws: `ConstraintError` for a schema that cannot be kept to.
  public func jsonSchema(
    _ schema: JSONValue, at path: String = "", reasoning: ReasoningPrefix = .none
  ) throws(ConstraintError) -> GrammarConstraint {
    let format = ResponseFormat.jsonSchema(schema, path: path)
    return try constraint(key: format.key, reasoning: reasoning) { builder throws in try builder.node(of: format) }
  }

  /// One of some texts.
  public func choice(
    _ texts: [String], at path: String = "", reasoning: ReasoningPrefix = .none
  ) throws(ConstraintError) -> GrammarConstraint {
    let format = ResponseFormat.choice(texts, path: path)
    return try constraint(key: format.key, reasoning: reasoning) { builder throws in try builder.node(of: format) }
  }

  /// Text that a regular expression (ECMA-262) matches as a whole.
  ///
  /// - Throws: `ConstraintError` for an expression that no finite automaton of reasonable size can keep to.
  public func regex(
    _ expression: String, at path: String = "", reasoning: ReasoningPrefix = .none
  ) throws(ConstraintError) -> GrammarConstraint {
    let format = ResponseFormat.regex(expression, path: path)
    return try constraint(key: format.key, reasoning: reasoning) { builder throws in try builder.node(of: format) }
  }

  /// The constraint kept under `key`, or made by `build`, which returns the root.
  ///
  /// - Parameter isFree: whether what `build` describes may be any text.
  func constraint(
    key: String, reasoning: ReasoningPrefix, isFree: Bool = false, build: (inout GrammarBuilder) throws -> Int
  ) throws(ConstraintError) -> GrammarConstraint {
    let key = "\(reasoning) \(key)"
    if let known = cache.withLock({ $0.find(key) }) { return GrammarConstraint(known) }
    let grammar: Grammar?
    do {
      var builder = GrammarBuilder()
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
    if grammars.updateValue(grammar, forKey: key) == nil { order.append(key) }
    if order.count > Self.capacity { grammars[order.removeFirst()] = nil }
  }
}
