internal import Decoding
internal import Foundation
internal import Inference
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
  struct Memory: Encodable { let packed_weights_bytes, kv_cache_bytes, peak_resident_bytes: Int }

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
    memory = Memory(
      packed_weights_bytes: model.memory.reduce(0) { $0 + $1.packedWeights },
      kv_cache_bytes: model.memory.reduce(0) { $0 + $1.keyValueCache },
      peak_resident_bytes: ProcessMemory.peakResidentBytes)
  }

  /// Lines for `--stats`.
  func statistics(secondsToLoad: Double) -> String {
    var lines = [
      "prompt      \(usage.prompt_tokens) tokens, first token after \(Self.milliseconds(timing.time_to_first_token_seconds))",
      "answer      \(usage.completion_tokens) tokens, \(timing.output_tokens_per_second.formatted(digits: 1)) tokens/s after the first, finished by \(finish_reason)",
    ]
    if let speculation = speculative_decoding {
      let rate = speculation.draft_acceptance_rate.map { $0 * 100 }.formatted(digits: 1, suffix: " %")
      let length = speculation.mean_acceptance_length.formatted(digits: 2)
      lines.append(
        "speculation window \(speculation.num_spec_tokens): \(speculation.num_accepted_draft_tokens) of \(speculation.num_draft_tokens) proposals accepted (\(rate)), mean acceptance length \(length)"
      )
    }
    lines.append(
      "time        drafting \(Self.milliseconds(timing.proposing_seconds)), target passes \(Self.milliseconds(timing.verifying_seconds)), elsewhere \(Self.milliseconds(timing.other_seconds)); \(timing.target_passes) passes"
    )
    if let plain = timing.plain_decoding_seconds, speculative_decoding != nil {
      let spent = timing.proposing_seconds + timing.verifying_seconds
      lines.append(
        "gain        \(String(format: "%.2f", plain / spent))x by the measured cost of passes: plain decoding would have taken \(Self.milliseconds(plain))"
      )
    }
    if let memory {
      let rest = memory.peak_resident_bytes - memory.packed_weights_bytes - memory.kv_cache_bytes
      lines.append(
        "memory      peak resident \(readable(bytes: memory.peak_resident_bytes)): packed weights \(readable(bytes: memory.packed_weights_bytes)), KV cache up to \(readable(bytes: memory.kv_cache_bytes)), beyond them \(readable(bytes: max(rest, 0)))"
      )
    }
    lines.append("loading     \(Self.milliseconds(secondsToLoad))")
    return lines.joined(separator: "\n")
  }

  private static func milliseconds(_ seconds: Double) -> String { String(format: "%.0f ms", seconds * 1000) }
}
