internal import ModelFiles
internal import Tokenization

extension Tokenizer {
  /// Reads a model's tokenizer.
  ///
  /// - Throws: `ModelFileError` or `TokenizerError` that names the file or the key, what it holds and what was expected.
  init(_ source: TokenizerSource) throws {
    switch source {
    case .files(let directory): try self.init(directory: directory)
    case .keys(let metadata): try self.init(metadata)
    }
  }

  /// Reads the keys `tokenizer.…` of a GGUF file.
  private init(_ metadata: GGUFMetadata) throws {
    let path = metadata.path
    func list<Element>(_ key: String, _ value: [Element]?) throws -> [Element] {
      guard let value else { throw ModelFileError(path, "lacks the key '\(key)'") }
      return value
    }
    let algorithm = try Self.algorithm(metadata)
    var preTokenizer = ""
    if algorithm == .byteLevel {
      guard let name = try metadata.string("tokenizer.ggml.pre") else {
        throw ModelFileError(
          path, "lacks the key 'tokenizer.ggml.pre', as files of before May 2024 do; convert the model anew")
      }
      preTokenizer = name
    }
    let tokens = try list("tokenizer.ggml.tokens", metadata.strings("tokenizer.ggml.tokens"))
    let types = try metadata.integers("tokenizer.ggml.token_type")
    var merges: [[UInt8]] = []
    switch algorithm {
    case .byteLevel, .characters: merges = try list("tokenizer.ggml.merges", metadata.strings("tokenizer.ggml.merges"))
    case .scores: break
    }
    var lists = TokenLists(
      tokens: tokens,
      kinds: try types.map { try $0.map { try Self.kind($0, in: path) } } ?? tokens.map { _ in .normal },
      merges: merges, preTokenizer: preTokenizer)
    lists.algorithm = algorithm
    // Phi-3's tokens strip what follows them, and its files do not say so.
    let name = try metadata.string("general.name")?.lowercased() ?? ""
    lists.controlsStripRight = algorithm != .byteLevel && (name.contains("phi-3") || name.contains("phi3"))
    // Older converters call the filling user-defined.
    for (id, text) in tokens.enumerated()
    where lists.kinds.indices.contains(id) && lists.kinds[id] == .userDefined && text == Array("[PAD\(id)]".utf8) {
      lists.kinds[id] = .unused
    }
    func token(_ key: String) throws -> TokenID? { try metadata.token(key).map { TokenID(truncatingIfNeeded: $0) } }
    lists.beginOfText = try token("tokenizer.ggml.bos_token_id")
    lists.endOfText = try token("tokenizer.ggml.eos_token_id")
    lists.addsBeginOfText = try metadata.boolean("tokenizer.ggml.add_bos_token")
    lists.addsEndOfText = try metadata.boolean("tokenizer.ggml.add_eos_token")
    let template = "tokenizer.chat_template"
    if let source = try metadata.string(template) { lists.chatTemplates["default"] = source }
    for key in metadata.keys where key.hasPrefix(template + ".") {
      lists.chatTemplates[String(key.dropFirst(template.count + 1))] = try metadata.string(key)
    }
    try self.init(lists, file: path)
  }

  private static func algorithm(_ metadata: GGUFMetadata) throws -> TokenLists.Algorithm {
    let model = try metadata.string("tokenizer.ggml.model")
    switch model {
    case "gpt2": return .byteLevel
    case "gemma4": return .characters
    case "llama":
      guard let scores = try metadata.floats("tokenizer.ggml.scores") else {
        throw ModelFileError(metadata.path, "lacks the key 'tokenizer.ggml.scores'")
      }
      return .scores(scores, prependsSpace: try metadata.boolean("tokenizer.ggml.add_space_prefix") ?? true)
    default:
      throw ModelFileError(
        metadata.path,
        "unsupported: tokenizer.ggml.model is \(model.map { "'\($0)'" } ?? "missing"); only 'gpt2' (byte-level BPE), 'llama' (SentencePiece BPE) and 'gemma4'"
      )
    }
  }

  private static func kind(_ type: Int, in path: String) throws -> TokenLists.Kind {
    switch type {
    case 1: .normal
    case 2: .unknown
    case 3: .control
    case 4: .userDefined
    case 5: .unused
    case 6: .byte
    default:
      throw ModelFileError(path, "tokenizer.ggml.token_type holds \(type); expected 1 to 6")
    }
  }
}
