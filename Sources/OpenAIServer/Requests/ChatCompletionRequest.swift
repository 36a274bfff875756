internal import ChatTemplates
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

  /// Whether the answer may hold a thought.
  let mayThink: Bool
  /// What of the request its answer cannot show that it was not heeded.
  let warnings: [String]

  init(_ fields: JSONFields, serving: ServingContext, budget: WorkBudget) throws(APIError) {
    try UnsupportedFields.refuse(fields, inChat: true)
    generation = try GenerationFields(fields, serving: serving, budget: budget)
    let tools = try ToolFields(fields)
    let hasTools = tools.descriptions != nil
    let conversation = try ChatPrompt(fields, hasTools: hasTools, serving: serving)
    let served = conversation.served
    let text = try conversation.text(tools: tools.descriptions, budget: budget)
    prompt = generation.truncated(
      try conversation.tokens(of: text, mostTokens: generation.mostTokens, serving: serving, budget: budget))
    let givesReasoning = try fields.bool("include_reasoning") ?? true
    let thoughts: ReasoningPrefix
    if served.reasoning == .harmony {
      let answer = HarmonyParser(prompt: text, names: tools.names)
      thoughts = Self.thoughts(at: answer.place)
      parser = ModelAnswerParser(answer, givesReasoning: givesReasoning)
    } else {
      thoughts = Self.thoughts(after: text, continuing: conversation.continued ?? "", in: served)
      parser = ModelAnswerParser(
        thoughts: thoughts.format.map { ReasoningSplitter(format: $0, startsInside: thoughts == .open($0)) },
        calls: tools.parser(format: served.toolCallFormat), givesReasoning: givesReasoning)
    }
    mayThink = thoughts != .none
    generation.request.startsText = conversation.continued == nil
    generation.request.visibleTokens = served.visibleTokens(in: serving.tokenizer, hasTools: hasTools)
    generation.request.stopping.thought = thoughts.format.map { format in
      // Where answers are messages, all that comes before the answer proper is none of it.
      StopConditions.Thought(
        opening: format.opening, closing: format.closing, isOpen: thoughts == .open(format) || format == .harmony)
    }
    generation.request.constraint = generation.filters.restricting(
      try tools.constraint(
        form: try ConstraintSource.form(fields), format: served.toolCallFormat, constraints: serving.constraints,
        reasoning: thoughts, budget: budget))
    warnings = try Self.warnings(fields, hasTools: hasTools, served: served)
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

  private static func warnings(
    _ fields: JSONFields, hasTools: Bool, served: ServedTemplate
  ) throws(APIError) -> [String] {
    var warnings: [String] = []
    if hasTools, !served.traits.writesTools {
      warnings.append("tools: the chat template does not write them, so that the model does not know of them")
    }
    if try fields.string("reasoning_effort") == "none", served.reasoning != nil,
      served.traits.thinkingSwitches.isEmpty
    {
      warnings.append("reasoning_effort: the chat template has no switch for thinking")
    }
    return warnings
  }

  /// Whether the answer to a prompt may begin with a thought.
  ///
  /// - Parameter beginning: the part of the answer that the prompt ends with.
  private static func thoughts(
    after prompt: String, continuing beginning: String, in served: ServedTemplate
  ) -> ReasoningPrefix {
    guard let format = served.reasoning else { return .none }
    if !beginning.allSatisfy(\.isWhitespace) {
      return ReasoningSplitter.isUnfinished(in: beginning, format: format) ? .open(format) : .none
    }
    if ReasoningSplitter.startsInside(prompt: prompt, format: format) { return .open(format) }
    var end = prompt[...]
    while let last = end.last, last.isWhitespace { end.removeLast() }
    return end.hasSuffix(format.closing) ? .none : .allowed(format)
  }

  /// The same where answers are messages, and the prompt has begun one.
  private static func thoughts(at place: HarmonyParser.Place) -> ReasoningPrefix {
    switch place {
    case .header: .allowed(.harmony)
    case .reasoning: .open(.harmony)
    case .content, .call: .none
    }
  }
}
