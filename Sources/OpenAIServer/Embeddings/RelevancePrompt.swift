internal import Decoding
internal import Foundation
internal import Inference
internal import JSON
internal import Tokenization

/// Asks a reranker whether a text answers a question: the prompt that Qwen3-Reranker was trained with.
///
/// https://huggingface.co/Qwen/Qwen3-Reranker-0.6B
struct RelevancePrompt {
  private static let opening = """
    <|im_start|>system
    Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>
    <|im_start|>user

    """
  private static let closing = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
  private static let instruction = "Given a web search query, retrieve relevant passages that answer the query"

  private let serving: ServingContext
  private let tokens: RelevanceTokens
  private let instruction: String
  private let parsesSpecialTokens: Bool
  private let priority: Int
  private let budget: WorkBudget

  /// - Throws: 404 for another model, 400 for one that does not rerank and for fields that do not fit.
  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    try serving.check(modelNamed: fields.string("model"))
    try serving.check(canDo: .rerank)
    guard let tokens = serving.model.target.relevanceTokens else {
      throw .engineFailed("the model has no tokens for yes and no")
    }
    (self.serving, self.tokens, self.budget) = (serving, tokens, budget)
    instruction = try fields.string("instruction") ?? Self.instruction
    parsesSpecialTokens = try serving.parsesSpecialTokens(fields)
    priority = try GenerationFields.priority(fields, serving: serving)
  }

  /// The prompts for pairs of a question and a text.
  func prompts(_ pairs: [(query: String, document: String)]) throws(APIError) -> PooledPrompts {
    let opening = serving.tokenizer.encode(Self.opening)
    let closing = serving.tokenizer.encode(Self.closing)
    var prompts: [[TokenID]] = []
    for pair in pairs {
      let text = "<Instruct>: \(instruction)\n<Query>: \(pair.query)\n<Document>: \(pair.document)"
      prompts.append(
        opening
          + (try serving.tokens(
            of: text, parsesSpecialTokens: parsesSpecialTokens, addsSpecialTokens: false,
            mostTokens: serving.engine.maximumLength, budget: budget)) + closing)
    }
    return PooledPrompts(prompts: prompts, pooling: .logits([tokens.yes, tokens.no]), priority: priority)
  }

  /// How likely "yes" is where "no" is the other answer, from the logits of both.
  static func score(_ logits: [Float]) -> Double {
    guard logits.count == 2 else { return 0 }
    return 1 / (1 + exp(Double(logits[1]) - Double(logits[0])))
  }
}
