package import ChatTemplates
package import JSON
public import ModelFiles
public import Tokenization

/// A Hugging Face model directory or a GGUF file, opened: everything but the weights' values.
public struct ModelSource: Sendable {
  /// Where it is.
  public let path: String
  /// `config.json`, or a GGUF file's metadata, as all that follows.
  public let configuration: ModelConfiguration
  /// `generation_config.json`, with `config.json` for what it lacks.
  public let generation: GenerationConfiguration
  /// `tokenizer.json`.
  public let tokenizer: Tokenizer
  /// The tensors.
  public let checkpoint: Checkpoint
  /// Tokens that end the model's answers: those that its configuration, its tokenizer and its chat template name. Makers
  /// often say in one place only what the others do not know.
  public let endOfTextTokens: Set<TokenID>

  /// What it is loaded for.
  public let task: ModelTask
  /// How hidden states become an embedding: as the model was made, or the last token's.
  public let embedding: EmbeddingConfiguration
  /// The tokens by which it says what fits, where it is loaded to rerank.
  public let relevanceTokens: RelevanceTokens?

  /// Opens a directory or a GGUF file, or a model of the Hugging Face cache by its name.
  ///
  /// - Parameter task: what it is to do; `nil` for what it was made for.
  /// - Throws: `ModelFileError` or `TokenizerError`, naming the file and the fact; `EngineConfigurationError` when the
  ///   tokenizer has ids that the model has no embedding for, or the model cannot do what it is to.
  public init(_ model: String, for task: ModelTask? = .generate) throws {
    let container = try HubCache().open(model)
    path = container.path
    if let head = try? container.head() {
      throw EngineConfigurationError(
        description:
          "'\(head.path)' is \(head.configuration.kind.description), which goes on from a target: name it with --draft-model"
      )
    }
    let purpose = try Self.purpose(of: container, named: HubCache.modelName(of: model))
    self.task = task ?? purpose.task
    if case .embedding(let made) = purpose {
      guard self.task == .embed else {
        throw EngineConfigurationError(
          description:
            "'\(path)' was made for embeddings (\(made.pooling.rawValue)) and not to \(self.task.rawValue); serve it, and ask /v1/embeddings"
        )
      }
      embedding = made
    } else {
      embedding = EmbeddingConfiguration()
    }
    checkpoint = try container.checkpoint()
    let described = try container.configuration()
    // Embeddings need no output matrix, and checkpoints made for them often have none.
    configuration =
      self.task == .embed && checkpoint.shape(of: "lm_head.weight") == nil ? described.tyingWordEmbeddings() : described
    generation = try container.generation()
    tokenizer = try Tokenizer(container.tokenizer)
    relevanceTokens = self.task == .rerank ? try RelevanceTokens(of: tokenizer, path: path) : nil
    guard tokenizer.vocabularySize <= configuration.vocabularySize else {
      throw EngineConfigurationError(
        description:
          "'\(path)': the tokenizer has token ids up to \(tokenizer.vocabularySize - 1), and the model embeds only \(configuration.vocabularySize); they do not belong together"
      )
    }
    endOfTextTokens = Self.endOfTextTokens(generation, tokenizer)
  }

  /// The tokenizer alone of a model that is named as for `init`.
  ///
  /// - Throws: `ModelFileError` or `TokenizerError`, naming the file and the fact.
  public static func tokenizer(of model: String) throws -> Tokenizer {
    try Tokenizer(HubCache().open(model).tokenizer)
  }

  private static let callEnding = "<|call|>"

  private static func endOfTextTokens(
    _ generation: GenerationConfiguration, _ tokenizer: Tokenizer
  ) -> Set<TokenID> {
    var tokens = Set(generation.endOfTextTokens.map { TokenID(truncatingIfNeeded: $0) })
    if let token = tokenizer.endOfTextToken.flatMap({ tokenizer.id(of: $0) }) { tokens.insert(token) }
    for source in tokenizer.chatTemplates.values {
      // gpt-oss ends an answer that calls with a token of its own.
      if source.contains(callEnding), let token = tokenizer.id(of: callEnding), tokenizer.isSpecial(token) {
        tokens.insert(token)
      }
      guard let template = try? ChatTemplate(source: source) else { continue }
      let traits = ChatTemplateTraits(of: template, source: source, context: templateContext(tokenizer))
      // Only a control token can end an answer: what is text, an answer may hold.
      let next = traits.afterAnswer.flatMap { tokenizer.encodeContinuation($0).first }
      if let next, tokenizer.isSpecial(next) { tokens.insert(next) }
    }
    return tokens
  }

  /// The chat template, parsed, with what it makes of conversations.
  ///
  /// - Throws: `EngineConfigurationError` when the model has none, `ChatTemplateError` when it does not parse.
  package func chatTemplate() throws -> (template: ChatTemplate, traits: ChatTemplateTraits) {
    guard let source = tokenizer.chatTemplate else {
      throw EngineConfigurationError(
        description:
          "'\(path)' has no chat template (no chat_template in tokenizer_config.json or the GGUF file's metadata, no chat_template.jinja)"
      )
    }
    let template = try ChatTemplate(source: source)
    return (template, ChatTemplateTraits(of: template, source: source, context: templateContext))
  }

  /// Token ids of a conversation in the chat template, up to where the assistant begins to answer.
  ///
  /// - Parameter thinking: whether a thinking model thinks first; `nil` for the model's own way.
  /// - Throws: as `chatTemplate()`, and `ChatTemplateError` for messages that the template refuses.
  package func tokens(for messages: [ChatMessage], thinking: Bool? = nil) throws -> [TokenID] {
    var context = templateContext
    if let thinking { context["enable_thinking"] = .bool(thinking) }
    let (template, traits) = try chatTemplate()
    let conversation = try messages.enumerated().map { index, message in
      try ChatMessage(client: .object(message.fields), at: "messages[\(index)]", for: traits)
    }
    return tokenizer.encode(
      try template.render(messages: ChatMessage.conversation(conversation, for: traits), context: context))
  }

  /// Variables that chat templates expect besides the messages.
  package var templateContext: [String: JSONValue] { Self.templateContext(tokenizer) }

  private static func templateContext(_ tokenizer: Tokenizer) -> [String: JSONValue] {
    var context: [String: JSONValue] = [:]
    if let token = tokenizer.beginOfTextToken { context["bos_token"] = .string(token) }
    if let token = tokenizer.endOfTextToken { context["eos_token"] = .string(token) }
    return context
  }
}
