internal import ModelFiles
public import Tokenization

/// What a model is loaded for.
public enum ModelTask: String, Sendable, CaseIterable {
  /// To go on with texts.
  case generate
  /// To make vectors of texts.
  case embed
  /// To say how well texts answer a question.
  case rerank
}

/// The tokens by which a reranker answers: it says "yes" or "no", and the score is how much likelier it says yes.
public struct RelevanceTokens: Sendable, Equatable {
  /// A text fits.
  public let yes: TokenID
  /// It does not.
  public let no: TokenID

  /// - Throws: `EngineConfigurationError` for a tokenizer that has no such tokens.
  init(of tokenizer: Tokenizer, path: String) throws(EngineConfigurationError) {
    func token(_ word: String) -> TokenID? {
      let tokens = tokenizer.encode(word)
      return tokens.count == 1 ? tokens[0] : nil
    }
    guard let yes = token("yes"), let no = token("no") else {
      throw EngineConfigurationError(
        description:
          "'\(path)' has no single tokens for 'yes' and 'no', by which a reranker says what fits; expected a model such as Qwen3-Reranker"
      )
    }
    (self.yes, self.no) = (yes, no)
  }
}

extension ModelSource {
  /// What a model was made for: its files say so, or its name where they cannot.
  static func purpose(
    of container: any ModelContainer, named name: String
  ) throws(ModelFileError) -> ModelPurpose {
    let purpose = try container.purpose()
    // Qwen3-Reranker's files are those of a model that generates.
    return purpose == .generation && name.lowercased().contains("reranker") ? .reranking : purpose
  }
}

extension ModelPurpose {
  /// The task that it is for.
  var task: ModelTask {
    switch self {
    case .generation: .generate
    case .embedding: .embed
    case .reranking: .rerank
    }
  }
}
