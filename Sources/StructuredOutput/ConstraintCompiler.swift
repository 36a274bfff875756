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
    static let capacity = 32
  }

  /// A compiler for the model with this tokenizer, whose answers end with one of `endTokens`.
  ///
  /// - Throws: `ConstraintError` when no answer could be constrained with this vocabulary.
  public init(_ tokenizer: Tokenizer, endTokens: Set<TokenID>) throws(ConstraintError) {
    vocabulary = try TokenVocabulary(tokenizer, endTokens: endTokens)
  }

  /// JSON mode: any JSON object.
  public func jsonObject() throws(ConstraintError) -> GrammarConstraint {
    try constraint(key: "json_object") { builder throws in try JSONGrammar(&builder).object }
  }

  /// The constraint kept under `key`, or made by `build`, which returns the root.
  func constraint(
    key: String, build: (inout GrammarBuilder) throws -> Int
  ) throws(ConstraintError) -> GrammarConstraint {
    if let known = cache.withLock({ $0.find(key) }) { return GrammarConstraint(known) }
    let grammar: Grammar?
    do {
      var builder = GrammarBuilder()
      let root = try build(&builder)
      grammar = builder.grammar(root: root)
    } catch let error as ConstraintError {
      throw error
    } catch {
      throw ConstraintError(path: "", message: "the schema is too large")
    }
    guard let grammar else { throw ConstraintError(path: "", message: "no finite JSON text matches the schema") }
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
