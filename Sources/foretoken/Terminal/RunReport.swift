internal import Decoding
internal import Foundation
internal import Inference
internal import Presentation
internal import Transformer

/// An answer and how it came about, for `--json`, `--stats` and the demonstration.
struct RunReport: Encodable {
  struct Alternative: Encodable {
    let id: Int32
    let logprob: Double
  }
  struct Logprob: Encodable {
    let id: Int32
    let logprob: Double
    let top: [Alternative]
  }
  struct Usage: Encodable { let prompt_tokens, completion_tokens, total_tokens: Int }
  struct Speculation: Encodable {
    let num_spec_tokens, num_spec_steps, num_draft_tokens, num_accepted_draft_tokens: Int
    let draft_acceptance_rate, mean_acceptance_length: Double?
    let accepted_per_position: [Int]
  }
  struct Timing: Encodable {
    let time_to_first_token_seconds, total_seconds: Double
    let time_per_output_token_seconds, output_tokens_per_second: Double?
    var proposing_seconds = 0.0, verifying_seconds = 0.0, other_seconds = 0.0
    var target_passes = 0
    var plain_decoding_seconds: Double?
  }
  struct Memory: Encodable {
    let packed_weights_bytes, kv_cache_bytes: Int
    /// Of models with recurrent layers.
    let state_bytes: Int?
    let peak_resident_bytes: Int
  }

  var text = ""
  var token_ids: [Int32] = []
  var finish_reason = ""
  var usage = Usage(prompt_tokens: 0, completion_tokens: 0, total_tokens: 0)
  var speculative_decoding: Speculation?
  var timing = Timing(
    time_to_first_token_seconds: 0, total_seconds: 0, time_per_output_token_seconds: nil, output_tokens_per_second: nil)
  var memory: Memory?
  var logprobs: [Logprob]?

  /// Whether tokens carried log-probabilities.
  private var recorded: [Logprob] = []

  private enum CodingKeys: String, CodingKey {
    case text, token_ids, finish_reason, usage, speculative_decoding, timing, memory, logprobs
  }

  mutating func add(_ token: GeneratedToken) {
    text += token.text
    token_ids.append(token.id)
    if let logprobs = token.logprobs {
      recorded.append(
        Logprob(
          id: token.id, logprob: logprobs.chosen,
          top: logprobs.top.map { Alternative(id: $0.token, logprob: $0.logprob) }))
      self.logprobs = recorded
    }
  }

  mutating func finish(_ summary: GenerationSummary, model: SpeculativeEngine) {
    text += summary.remainingText
    finish_reason = summary.reason.name
    usage = Usage(
      prompt_tokens: summary.promptTokens, completion_tokens: summary.outputTokens,
      total_tokens: summary.promptTokens + summary.outputTokens)
    let counts = summary.speculation
    if model.window > 0 {
      speculative_decoding = Speculation(
        num_spec_tokens: model.window, num_spec_steps: counts.drafts, num_draft_tokens: counts.draftTokens,
        num_accepted_draft_tokens: counts.acceptedTokens, draft_acceptance_rate: counts.acceptanceRate,
        mean_acceptance_length: counts.meanAcceptanceLength, accepted_per_position: counts.acceptedPerPosition)
    }
    let perToken = summary.timing.secondsPerOutputToken(summary.outputTokens)
    timing = Timing(
      time_to_first_token_seconds: summary.timing.firstTokenSeconds, total_seconds: summary.timing.totalSeconds,
      time_per_output_token_seconds: perToken, output_tokens_per_second: perToken.map { 1 / $0 },
      proposing_seconds: summary.timing.proposingSeconds, verifying_seconds: summary.timing.verifyingSeconds,
      other_seconds: summary.timing.otherSeconds, target_passes: summary.timing.passes,
      plain_decoding_seconds: summary.timing.plainSeconds > 0 ? summary.timing.plainSeconds : nil)
    let states = model.memory.reduce(0) { $0 + $1.states }
    memory = Memory(
      packed_weights_bytes: model.memory.reduce(0) { $0 + $1.packedWeights },
      kv_cache_bytes: model.memory.reduce(0) { $0 + $1.keyValueCache },
      state_bytes: states > 0 ? states : nil,
      peak_resident_bytes: ProcessMemory.peakResidentBytes)
  }

  /// For `--stats`.
  func statistics(secondsToLoad: Double? = nil) -> ReportPage.Block {
    var facts: [(name: String, value: String)] = []
    func add(_ name: String, _ value: String) { facts.append((name, value)) }
    func decimal(_ value: Double?, _ digits: Int) -> String { value.map { FigureText.decimal($0, digits) } ?? "–" }
    add(
      "prompt",
      "\(usage.prompt_tokens) tokens, first token after \(Self.milliseconds(timing.time_to_first_token_seconds))")
    add(
      "answer",
      "\(usage.completion_tokens) tokens, \(decimal(timing.output_tokens_per_second, 1)) tokens/s after the first, finished by \(finish_reason)"
    )
    if let speculation = speculative_decoding {
      let rate = speculation.draft_acceptance_rate.map { FigureText.percent($0, digits: 1) } ?? "–"
      add(
        "speculation",
        "window \(speculation.num_spec_tokens): \(speculation.num_accepted_draft_tokens) of \(speculation.num_draft_tokens) proposals accepted (\(rate)), mean acceptance length \(decimal(speculation.mean_acceptance_length, 2))"
      )
    }
    add(
      "time",
      "drafting \(Self.milliseconds(timing.proposing_seconds)), target passes \(Self.milliseconds(timing.verifying_seconds)), elsewhere \(Self.milliseconds(timing.other_seconds)); \(timing.target_passes) passes"
    )
    if let plain = timing.plain_decoding_seconds, speculative_decoding != nil {
      let spent = timing.proposing_seconds + timing.verifying_seconds
      add(
        "gain",
        "\(FigureText.ratio(plain / spent)) by the measured cost of passes: plain decoding would have taken \(Self.milliseconds(plain))"
      )
    }
    if let memory {
      let rest = memory.peak_resident_bytes - memory.packed_weights_bytes - memory.kv_cache_bytes
      add(
        "memory",
        "peak resident \(FigureText.bytes(memory.peak_resident_bytes)): packed weights \(FigureText.bytes(memory.packed_weights_bytes)), KV cache up to \(FigureText.bytes(memory.kv_cache_bytes)), beyond them \(FigureText.bytes(max(rest, 0)))"
      )
    }
    if let secondsToLoad { add("loading", Self.milliseconds(secondsToLoad)) }
    return .facts(facts)
  }

  private static func milliseconds(_ seconds: Double) -> String { "\(FigureText.decimal(seconds * 1000, 0)) ms" }
}
