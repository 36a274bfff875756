internal import Foundation
internal import Tensor

/// Factors and caps of a model's numbers, as `config.json` says them.
struct LayerScales {
  /// Of the products of queries and keys.
  let attention: Float
  let embedding: Float
  /// What is added to the weights of norms.
  let normAddend: Float
  let attentionSoftCap, logitSoftCap: Float?

  init(
    _ file: ConfigurationFile, as variations: DecoderArchitecture, hiddenSize: Int, headSize: Int, path: String
  ) throws(ModelFileError) {
    guard let gemma = variations.gemma else {
      (attention, embedding, normAddend) = (
        Self.usualAttention(headSize: headSize), 1, variations.addsOneToNorms ? 1 : 0
      )
      (attentionSoftCap, logitSoftCap) = (nil, nil)
      return
    }
    func number(_ key: String, _ value: Double) throws(ModelFileError) -> Double {
      guard value >= 1e-6, value <= 1e6 else {
        throw ModelFileError(path, "\(key) is \(value); expected 1e-06 to 1e+06")
      }
      return value
    }
    func cap(_ key: String, _ stated: Stated<Double>, _ usual: Double?) throws(ModelFileError) -> Float? {
      let value: Double? =
        switch stated {
        case .absent: usual
        case .null: nil
        case .value(let value): value
        }
      guard let value else { return nil }
      return Float(try number(key, value))
    }
    if file.use_bidirectional_attention == true {
      throw ModelFileError(path, "unsupported: attention to later positions (use_bidirectional_attention)")
    }
    attention = Float(
      1 / (try number("query_pre_attn_scalar", file.query_pre_attn_scalar ?? gemma.queryScalar)).squareRoot())
    embedding = try Self.embedding(hiddenSize: hiddenSize, type: file.dtype ?? file.torch_dtype, path: path)
    normAddend = 1
    attentionSoftCap = try cap("attn_logit_softcapping", file.attn_logit_softcapping, gemma.attentionSoftCap)
    logitSoftCap = try cap("final_logit_softcapping", file.final_logit_softcapping, gemma.logitSoftCap)
    // Gemma 3's own readers ignore such a key.
    if variations.hasQueryKeyNorm, attentionSoftCap != nil {
      throw ModelFileError(path, "unsupported: attn_logit_softcapping in models of this family")
    }
  }

  static func usualAttention(headSize: Int) -> Float { 1 / Float(headSize).squareRoot() }

  /// √hidden, rounded as the weights of the model are.
  private static func embedding(hiddenSize: Int, type: String?, path: String) throws(ModelFileError) -> Float {
    let exact = Double(hiddenSize).squareRoot()
    switch type ?? "bfloat16" {
    case "float32": return Float(exact)
    case "float16": return Float(exact.rounded(toDigits: 11))
    case "bfloat16": return Float(exact.rounded(toDigits: 8))
    case let type: throw ModelFileError(path, "unsupported: dtype \(type); only bfloat16, float16, float32")
    }
  }
}

extension Double {
  /// The nearest number of so many binary digits, ties to even.
  fileprivate func rounded(toDigits count: Int) -> Double {
    let unit = scalbn(1, Int(exponent) + 1 - count)
    return (self / unit).rounded(.toNearestOrEven) * unit
  }
}

extension ConfigurationFile {
  /// What opens the gates of feed-forward networks.
  func activation(as variations: DecoderArchitecture, path: String) throws(ModelFileError) -> GateActivation {
    if variations.clampsGates {
      func number(_ key: String, _ value: Double) throws(ModelFileError) -> Float {
        guard value >= 1e-3, value <= 1e6 else {
          throw ModelFileError(path, "\(key) is \(value); expected 0.001 to 1e+06")
        }
        return Float(value)
      }
      return .clamped(
        slope: try number("swiglu_alpha", swiglu_alpha ?? GateActivation.usualSlope),
        limit: try number("swiglu_limit", swiglu_limit ?? GateActivation.usualLimit))
    }
    let (key, name) = variations.gemma == nil ? ("hidden_act", hidden_act) : ("hidden_activation", hidden_activation)
    switch name ?? "silu" {
    case "silu": return .silu
    case "gelu_pytorch_tanh": return .geluTanh
    case let name: throw ModelFileError(path, "unsupported: \(key) \(name); only silu, gelu_pytorch_tanh")
    }
  }

  /// The same with what Gemma's files leave unsaid.
  func filled(_ defaults: DecoderArchitecture.Defaults) -> ConfigurationFile {
    var filled = self
    filled.num_attention_heads = num_attention_heads ?? defaults.headCount
    filled.num_key_value_heads = num_key_value_heads ?? defaults.kvHeadCount
    filled.vocab_size = vocab_size ?? defaults.vocabularySize
    filled.max_position_embeddings = max_position_embeddings ?? defaults.maximumPosition
    filled.hidden_activation = hidden_activation ?? defaults.activation
    filled.tie_word_embeddings = tie_word_embeddings ?? true
    return filled
  }
}

extension GateActivation {
  /// Of gpt-oss where files do not say: GGUF files never do.
  static let usualSlope = 1.702
  static let usualLimit = 7.0
}
