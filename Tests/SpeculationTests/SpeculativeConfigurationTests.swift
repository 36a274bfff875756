import Decoding
import Inference
import Speculation
import Testing

@Suite struct SpeculativeConfigurationTests {
  @Test(
    "0 and 1 are numbers, written as whole ones or with a point",
    arguments: [
      #"{"method": "ngram", "num_speculative_tokens": 1}"#,
      #"{"method": "ngram", "num_speculative_tokens": 1.0, "prompt_lookup_min": 1, "prompt_lookup_max": 1}"#,
      #"{"method": "suffix", "suffix_decoding_max_cached_requests": 0}"#,
      #"{"method": "suffix", "suffix_decoding_max_spec_factor": 1, "suffix_decoding_min_token_prob": 0}"#,
      #"{"method": "ngram", "rejection_sample_method": "synthetic", "synthetic_acceptance_rate": 1}"#,
      #"{"method": "ngram", "prompt_lookup_min": 3, "prompt_lookup_max": 1000}"#,
      #"{"method": "ngram", "model": null, "num_speculative_tokens": null}"#,
    ])
  func numbers(json: String) throws { _ = try SpeculativeConfiguration(json: json) }

  @Test("the numbers are those that were given")
  func values() throws {
    let one = try SpeculativeConfiguration(
      json: #"{"method": "ngram", "num_speculative_tokens": 1, "prompt_lookup_min": 1, "prompt_lookup_max": 3}"#)
    #expect(one.window == 1 && one.method == .ngram && one.lookupLengths == 1...3)
    let none = try SpeculativeConfiguration(json: #"{"method": "suffix", "suffix_decoding_max_cached_requests": 0}"#)
    #expect(none.suffix.cachedRequests == 0)
  }

  @Test(
    "a boolean, a string or a fraction is no number",
    arguments: ["true", "false", "\"1\"", "1.5", "[1]", "99999999999999999999"])
  func noNumbers(value: String) {
    let error = #expect(throws: SpeculativeConfigurationError.self) {
      try SpeculativeConfiguration(json: #"{"method": "ngram", "num_speculative_tokens": \#(value)}"#)
    }
    #expect(error?.description.contains("'num_speculative_tokens' is \(value); expected a whole number") == true)
  }
}
