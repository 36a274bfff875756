internal import Decoding
internal import StructuredOutput
internal import Tokenization

/// The body of `/v1/chat/completions`.
struct ChatCompletionRequest: Sendable {
  var generation: GenerationFields
  /// Token ids of the conversation in the chat template.
  let prompt: [TokenID]
  /// Finds thoughts and calls in an answer.
  let parser: ModelAnswerParser

  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    generation = try GenerationFields(fields, serving: serving)
    let tools = try ToolFields(fields)
    let conversation = try ChatPrompt(fields, serving: serving)
    let text = try conversation.text(tools: tools.descriptions, budget: budget)
    prompt = try conversation.tokens(of: text, serving: serving, budget: budget)
    let thoughts = Self.thoughts(after: text, continuing: conversation.continued ?? "", serving: serving)
    parser = ModelAnswerParser(
      thoughts: thoughts == .none ? nil : ReasoningSplitter(startsInside: thoughts == .open),
      calls: tools.parser(format: serving.toolCallFormat))
    generation.request.constraint = try Self.constraint(
      fields, tools: tools, thoughts: thoughts, serving: serving, budget: budget)
    let limits = [
      try fields.integer("max_completion_tokens", in: 1 ... .max), try fields.integer("max_tokens", in: 1 ... .max),
    ]
    generation.request.stopping.maximumTokens = limits.lazy.compactMap { $0 }.first ?? .max
    let range = 0...GenerationRequest.maximumLogprobCount
    let topCount = try fields.integer("top_logprobs", in: range)
    let wantsLogprobs = try fields.bool("logprobs") ?? false
    if topCount != nil, !wantsLogprobs {
      throw .badRequest("top_logprobs is set and logprobs is not; expected logprobs: true", parameter: "top_logprobs")
    }
    if wantsLogprobs { generation.request.logprobCount = topCount ?? 0 }
  }

  /// Whether the answer to a prompt may begin with a thought.
  ///
  /// - Parameter beginning: the part of the answer that the prompt ends with.
  private static func thoughts(
    after prompt: String, continuing beginning: String, serving: ServingContext
  ) -> ReasoningPrefix {
    guard serving.separatesReasoning else { return .none }
    if !beginning.allSatisfy(\.isWhitespace) {
      return ReasoningSplitter.isUnfinished(in: beginning) ? .open : .none
    }
    if ReasoningSplitter.startsInside(prompt: prompt) { return .open }
    var end = prompt[...]
    while let last = end.last, last.isWhitespace { end.removeLast() }
    return end.hasSuffix(ReasoningSplitter.closing) ? .none : .allowed
  }

  /// What the answer must keep to: a call of a tool or a form, not both.
  private static func constraint(
    _ fields: JSONFields, tools: ToolFields, thoughts: ReasoningPrefix, serving: ServingContext,
    budget: WorkBudget
  ) throws(APIError) -> GrammarConstraint? {
    let form = try serving.constraints.constraint(fields, reasoning: thoughts, budget: budget)
    let call = try tools.constraint(
      format: serving.toolCallFormat, compiler: serving.constraints.compiler, reasoning: thoughts, budget: budget)
    guard form == nil || call == nil || tools.choice == .auto else {
      throw .badRequest(
        "tool_choice asks for a call and another field for a form of the answer; expected one of them",
        parameter: "tool_choice")
    }
    return form ?? call
  }
}
