public import ModelFiles
package import PJRTTransformer
package import Tensor
public import Tokenization
package import Transformer

/// A Hugging Face model directory or a GGUF file, opened: everything but the weights' values.
public struct ModelDirectory: Sendable {
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

  /// Opens a directory or a GGUF file, or a model of the Hugging Face cache by its name.
  ///
  /// - Throws: `ModelFileError` or `TokenizerError`, naming the file and the fact; `EngineConfigurationError` when the
  ///   tokenizer has ids that the model has no embedding for.
  public init(_ model: String) throws {
    path = try HubCache().locate(model)
    if GGUFFile.isNamed(path) {
      let file = try GGUFFile(path: path)
      configuration = try ModelConfiguration(file)
      generation = try GenerationConfiguration(file)
      tokenizer = try Tokenizer(file)
      checkpoint = try Checkpoint(file, configuration: configuration)
    } else {
      configuration = try ModelConfiguration(directory: path)
      generation = try GenerationConfiguration(directory: path)
      tokenizer = try Tokenizer(directory: path)
      checkpoint = try Checkpoint(directory: path)
    }
    guard tokenizer.vocabularySize <= configuration.vocabularySize else {
      throw EngineConfigurationError(
        description:
          "'\(path)': the tokenizer has token ids up to \(tokenizer.vocabularySize - 1), and the model embeds only \(configuration.vocabularySize); they do not belong together"
      )
    }
  }

  /// The tokenizer alone of a model that is named as for `init`.
  ///
  /// - Throws: `ModelFileError` or `TokenizerError`, naming the file and the fact.
  public static func tokenizer(of model: String) throws -> Tokenizer {
    let path = try HubCache().locate(model)
    return GGUFFile.isNamed(path) ? try Tokenizer(try GGUFFile(path: path)) : try Tokenizer(directory: path)
  }

  /// Tokens that end the model's answers.
  public var endOfTextTokens: Set<TokenID> {
    var tokens = Set(generation.endOfTextTokens.map { TokenID(truncatingIfNeeded: $0) })
    if tokens.isEmpty, let token = tokenizer.endOfTextToken.flatMap({ tokenizer.id(of: $0) }) { tokens = [token] }
    return tokens
  }

  /// The chat template, parsed.
  ///
  /// - Throws: `EngineConfigurationError` when the model has none, `ChatTemplateError` when it does not parse.
  public func chatTemplate() throws -> ChatTemplate {
    guard let source = tokenizer.chatTemplate else {
      throw EngineConfigurationError(
        description:
          "'\(path)' has no chat template (no chat_template in tokenizer_config.json or the GGUF file's metadata, no chat_template.jinja)"
      )
    }
    return try ChatTemplate(source: source)
  }

  /// Variables that chat templates expect besides the messages.
  public var templateContext: [String: JSONValue] {
    var context: [String: JSONValue] = [:]
    if let token = tokenizer.beginOfTextToken { context["bos_token"] = .string(token) }
    if let token = tokenizer.endOfTextToken { context["eos_token"] = .string(token) }
    return context
  }

  /// Puts the model onto the devices of `session`, or without one onto the processor.
  package func loadRunner(
    _ options: EngineConfiguration, limits: RunnerLimits, pool: WorkerPool, session: PJRTSession?,
    progress: (Double) -> Void
  ) throws -> any ModelRunner {
    guard let session else { return try load(options, limits: limits, pool: pool, progress: progress) }
    return try PJRTModelRunner(
      session: session, checkpoint: checkpoint, configuration: configuration, limits: limits, progress: progress)
  }

  /// Packs the weights.
  func load(
    _ options: EngineConfiguration, limits: RunnerLimits, pool: WorkerPool, progress: (Double) -> Void
  ) throws -> CPUModelRunner {
    try CPUModelRunner(
      checkpoint: checkpoint, configuration: configuration, quantization: options.quantization, limits: limits,
      pool: pool, instructionSet: options.instructionSet, cacheFormat: options.cacheFormat,
      cache: options.weightCache, progress: progress
    )
  }
}
