internal import Decoding
internal import Inference
internal import JSON

/// `generation_settings` and `timings` of llama.cpp's answers.
enum LlamaSettings {
  /// How an answer is generated, under llama.cpp's names.
  static func settings(of request: GenerationRequest, streams: Bool, serving: ServingContext) -> JSONObject {
    let (sampling, stopping) = (request.sampling, request.stopping)
    let limit = stopping.maximumTokens == .max ? -1 : stopping.maximumTokens
    return JSONObject([
      ("n_predict", .integer(limit)), ("max_tokens", .integer(limit)),
      ("seed", Int(exactly: sampling.seed).map(JSONValue.integer) ?? .string("\(sampling.seed)")),
      ("temperature", .number(sampling.temperature)), ("top_k", .integer(sampling.topK)),
      ("top_p", .number(sampling.topP)), ("min_p", .number(sampling.minP)),
      ("repeat_penalty", .number(sampling.repetitionPenalty)),
      ("presence_penalty", .number(sampling.presencePenalty)),
      ("frequency_penalty", .number(sampling.frequencyPenalty)),
      ("stop", .array(stopping.strings.map { .string($0) })), ("ignore_eos", .bool(stopping.ignoresEndOfText)),
      ("stream", .bool(streams)), ("n_probs", .integer(request.logprobCount ?? 0)), ("grammar", ""),
      ("samplers", .array(["penalties", "temperature", "top_k", "top_p", "min_p"])),
      ("speculative.n_max", .integer(request.window ?? serving.model.window)),
    ])
  }

  /// What an answer took so far, in milliseconds.
  static func timings(
    _ timing: GenerationTiming, prompt: Int, cached: Int, output: Int, counts: SpeculationCounts
  )
    -> JSONValue
  {
    let read = prompt - cached
    let (reading, writing) = (
      max(0, timing.firstTokenSeconds - timing.queueSeconds), max(0, timing.totalSeconds - timing.firstTokenSeconds)
    )
    func rate(_ count: Int, _ seconds: Double) -> JSONValue { seconds > 0 ? .number(Double(count) / seconds) : 0 }
    func each(_ count: Int, _ seconds: Double) -> JSONValue { count > 0 ? .number(1000 * seconds / Double(count)) : 0 }
    var timings = JSONObject([
      ("cache_n", .integer(cached)), ("prompt_n", .integer(read)), ("prompt_ms", .number(1000 * reading)),
      ("prompt_per_token_ms", each(read, reading)), ("prompt_per_second", rate(read, reading)),
      ("predicted_n", .integer(output)), ("predicted_ms", .number(1000 * writing)),
      ("predicted_per_token_ms", each(output, writing)), ("predicted_per_second", rate(output, writing)),
    ])
    if counts.drafts > 0 {
      timings["draft_n"] = .integer(counts.draftTokens)
      timings["draft_n_accepted"] = .integer(counts.acceptedTokens)
    }
    return .object(timings)
  }
}
