/// A token's number in the vocabulary.
public typealias TokenID = Int32

/// A BPE tokenizer, of bytes or of characters, as Hugging Face's `tokenizers` reads it from `tokenizer.json`.
///
/// Encoding and decoding give what that library gives, id for id and byte for byte; but tokens of bytes that are no valid
/// UTF-8 together spoil no valid character beside them. A tokenizer is a value: any number of
/// threads may use one at the same time.
///
/// ```swift
/// let tokenizer = try Tokenizer(directory: "Models/Qwen3-0.6B")
/// let tokens = tokenizer.encode("Hello, world<|im_end|>")
/// let text = tokenizer.decode(tokens)
/// ```
public struct Tokenizer: Sendable {
  let vocabulary: Vocabulary
  let model: SubwordModel
  let normalizer: Normalizer
  let preTokenizer: PreTokenizer
  let postProcessor: PostProcessor
  /// What decoding leaves out at the beginning of a text.
  let decodedStart: DecodedStart
  /// Added tokens that are looked for in the text as given, and those looked for once it is normalized.
  let givenTextMatcher: AddedTokenMatcher
  let normalizedTextMatcher: AddedTokenMatcher
  let scratchPool = ScratchPool()

  /// The chat templates' sources by name, from `chat_template.jinja` (the one named `default`) and
  /// `additional_chat_templates/NAME.jinja`, or else from `tokenizer_config.json`.
  public let chatTemplates: [String: String]

  /// The chat template's source: of several named ones the one named `default`; a single one, whatever its name.
  public var chatTemplate: String? {
    chatTemplates["default"] ?? (chatTemplates.count == 1 ? chatTemplates.values.first : nil)
  }

  /// The text of the token that starts a text (`bos_token`), from `tokenizer_config.json`.
  public let beginOfTextToken: String?

  /// The text of the token that ends a text (`eos_token`), from `tokenizer_config.json`.
  public let endOfTextToken: String?

  /// Whether it is a byte-level BPE as GPT-2's, and not one of characters as SentencePiece's.
  public var isByteLevel: Bool { model.isByteLevel }

  /// Loads `tokenizer.json` from a model's directory, and `tokenizer_config.json` and `chat_template.jinja` if they are there.
  ///
  /// Where the two JSON files disagree about an added token, `tokenizer.json` holds.
  /// - Throws: `TokenizerError` naming the file, what was found in it and what was expected.
  public init(directory: String) throws(TokenizerError) {
    let file = "\(directory)/tokenizer.json"
    let configurationFile = "\(directory)/tokenizer_config.json"
    var templates: [String: String] = [:]
    if let template = try FileContents.read("\(directory)/chat_template.jinja", isOptional: true) {
      templates["default"] = String(decoding: template, as: UTF8.self)
    }
    let folder = "\(directory)/additional_chat_templates"
    for name in FileContents.names(in: folder, endingWith: ".jinja") {
      guard let template = try FileContents.read("\(folder)/\(name).jinja", isOptional: true) else { continue }
      templates[name] = String(decoding: template, as: UTF8.self)
    }
    try self.init(
      tokenizer: try FileContents.read(file) ?? [], file: file,
      configuration: try FileContents.read(configurationFile, isOptional: true), configurationFile: configurationFile,
      chatTemplates: templates)
  }

  /// Builds a tokenizer from its parts, which must fit together.
  ///
  /// - Parameter normalizedTokens: added tokens that are looked for in normalized text, by what they are there.
  init(
    vocabulary: Vocabulary, model: SubwordModel, normalizer: Normalizer, preTokenizer: PreTokenizer,
    postProcessor: PostProcessor, decodedStart: DecodedStart = .whole, addedTokens: [AddedToken],
    normalizedTokens: [(AddedToken, pattern: String)] = [],
    chatTemplates: [String: String], beginOfTextToken: String?, endOfTextToken: String?
  ) {
    var (givenText, normalizedText) = (AddedTokenMatcher(), AddedTokenMatcher())
    for token in addedTokens { givenText.insert(token, pattern: token.content) }
    for (token, pattern) in normalizedTokens { normalizedText.insert(token, pattern: pattern) }
    (self.vocabulary, self.model, self.normalizer) = (vocabulary, model, normalizer)
    (self.preTokenizer, self.postProcessor, self.decodedStart) = (preTokenizer, postProcessor, decodedStart)
    (givenTextMatcher, normalizedTextMatcher) = (givenText, normalizedText)
    self.chatTemplates = chatTemplates
    (self.beginOfTextToken, self.endOfTextToken) = (beginOfTextToken, endOfTextToken)
  }

  /// Builds a tokenizer from the contents of its files; the names are for messages.
  package init(
    tokenizer: [UInt8], file: String, configuration: [UInt8]? = nil, configurationFile: String = "",
    chatTemplates: [String: String] = [:]
  ) throws(TokenizerError) {
    let parts = try TokenizerFile(tokenizer, file: file)
    let settings =
      if let configuration {
        try TokenizerConfiguration(configuration, file: configurationFile)
      } else {
        TokenizerConfiguration()
      }
    var vocabulary = parts.vocabulary
    var addedTokens = parts.addedTokens
    let knownContents = Set(addedTokens.map(\.content))
    for token in settings.addedTokens where !token.content.isEmpty && !knownContents.contains(token.content) {
      // `tokenizer.json` holds where it says something else about the id or the text.
      if let text = vocabulary.text(of: token.id), text != token.content { continue }
      if let id = vocabulary.id(of: token.content), id != token.id { continue }
      try vocabulary.add(token, decodedAs: parts.decodedText(of: token), file: configurationFile)
      addedTokens.append(token)
    }
    self.init(
      vocabulary: vocabulary, model: .merges(parts.model), normalizer: parts.normalizer,
      preTokenizer: parts.preTokenizer, postProcessor: parts.postProcessor, decodedStart: parts.decodedStart,
      addedTokens: addedTokens.filter { !$0.isNormalized },
      normalizedTokens: addedTokens.filter(\.isNormalized).map { ($0, pattern: parts.decodedText(of: $0)) },
      chatTemplates: chatTemplates.isEmpty ? settings.chatTemplates : chatTemplates,
      beginOfTextToken: settings.beginOfTextToken, endOfTextToken: settings.endOfTextToken)
  }

  /// 1 + the largest id in use. A model's logits may have more columns, as padding.
  public var vocabularySize: Int { vocabulary.size }

  /// The bytes that a token stands for, which need not be whole characters; `nil` for an id that is not in use.
  ///
  /// The bytes of a sequence of tokens, one after the other, are what `decode` makes its text of, but for a space that the
  /// tokenizer puts before a text.
  public func bytes(of token: TokenID) -> [UInt8]? { vocabulary.bytes(of: token).map(Array.init) }

  /// The id of a token given by its text: an added token's, or a vocabulary string such as `Ġthe`.
  public func id(of token: String) -> TokenID? { vocabulary.id(of: token) }

  /// A token's text as `tokenizer.json` has it; `nil` for an id that is not in use.
  public func text(of token: TokenID) -> String? { vocabulary.text(of: token) }

  /// Whether a token is a control token, such as `<|im_end|>`.
  public func isSpecial(_ token: TokenID) -> Bool { vocabulary.isSpecial(token) }
}
