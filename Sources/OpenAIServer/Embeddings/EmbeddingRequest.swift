internal import Decoding
internal import Inference
internal import JSON
internal import ModelFiles
internal import Tokenization

/// The body of `/v1/embeddings`.
struct EmbeddingRequest: Sendable {
  let prompts: PooledPrompts
  let shape: EmbeddingShape
  /// Whether numbers are sent as bytes in base64.
  let isBase64: Bool

  /// - Parameter keepsBeginning: whether of a text that is to be cut the beginning is read, and not the end.
  init(
    _ fields: JSONFields, keepsBeginning: Bool = false, serving: ServingContext, budget: WorkBudget
  ) throws(APIError) {
    try serving.check(modelNamed: fields.string("model"))
    try serving.check(canDo: .embed)
    isBase64 = try Self.isBase64(fields)
    shape = try EmbeddingShape(fields, serving: serving)
    let longest = try GenerationFields.longestPrompt(fields, serving: serving, room: 0)
    let prompts = try serving.prompts(
      fields, "input", limit: PooledPrompts.most,
      mostTokens: longest == nil ? serving.engine.maximumLength : serving.mostReadTokens, budget: budget)
    self.prompts = PooledPrompts(
      prompts: prompts.map { prompt in
        longest.map { Array(keepsBeginning ? prompt.prefix($0) : prompt.suffix($0)) } ?? prompt
      },
      pooling: shape.pooling, priority: try GenerationFields.priority(fields, serving: serving))
  }

  private static func isBase64(_ fields: JSONFields) throws(APIError) -> Bool {
    guard let format = try fields.string("encoding_format") else { return false }
    guard ["float", "base64"].contains(format) else {
      throw fields.wrong("encoding_format", .string(format), "\"float\" or \"base64\"")
    }
    return format == "base64"
  }
}

/// What becomes of a pooled hidden state on its way to the client.
struct EmbeddingShape: Sendable {
  let pooling: Pooling
  /// Numbers that are kept, from the first on; `nil` for all.
  private let dimensions: Int?
  /// Whether the vector is brought to length 1, after the rest was cut off.
  private let normalises: Bool

  /// As the served model was made, with the field `dimensions`.
  init(_ fields: JSONFields, serving: ServingContext) throws(APIError) {
    let target = serving.model.target
    self.init(
      pooling: target.embedding.pooling == .mean ? .mean : .lastToken, normalises: target.embedding.normalises,
      dimensions: try fields.integer("dimensions", in: 1...target.configuration.hiddenSize))
  }

  init(pooling: Pooling, normalises: Bool, dimensions: Int?) {
    (self.pooling, self.normalises, self.dimensions) = (pooling, normalises, dimensions)
  }

  /// The embedding that a hidden state becomes. One of length 0 stays as it is.
  func embedding(of hidden: [Float]) -> [Float] {
    let kept = dimensions.map { Array(hidden.prefix($0)) } ?? hidden
    guard normalises else { return kept }
    let length = kept.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    guard length > 0 else { return kept }
    return kept.map { Float(Double($0) / length) }
  }
}
