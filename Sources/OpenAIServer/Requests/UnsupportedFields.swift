internal import JSON
internal import Tokenization

/// Parameters of OpenAI's, vLLM's and llama.cpp's APIs that change an answer and that this server does not have: a
/// client that sets one is told so rather than answered as if it had not.
///
/// Values that say "as without it" pass. What changes no answer (`user`, `metadata`, `store`, `service_tier`,
/// `prompt_cache_key`, `prediction`, `cache_salt`, …) is not looked at.
package enum UnsupportedFields {
  /// A parameter, and the values with which it does nothing.
  private struct Field {
    let name: String
    let neutral: [JSONValue]
    /// What to do instead.
    let advice: String

    init(_ name: String, neutral: [JSONValue] = [], _ advice: String = "expected it to be left out") {
      self.name = name
      self.neutral = neutral
      self.advice = advice
    }
  }

  private static let fields = [
    // OpenAI.
    Field("functions", neutral: [[]], "expected tools, which took its place"),
    Field("function_call", neutral: ["none"], "expected tool_choice, which took its place"),
    Field("modalities", neutral: [["text"]], "expected [\"text\"]: the model writes text only"),
    Field("audio", "expected no audio: the model writes text only"),
    Field("verbosity", neutral: ["medium"]), Field("web_search_options"),
    // vLLM.
    Field("use_beam_search", neutral: [false], "expected false: answers are sampled"),
    Field("length_penalty", neutral: [1], "expected 1: there is no beam search"),
    Field("early_stopping", neutral: [false], "expected false: there is no beam search"),
    Field("logits_processors", neutral: [[]]), Field("logits_processor_patterns", neutral: [[]]),
    Field("kv_transfer_params"), Field("vllm_xargs", neutral: [[:]]), Field("mm_processor_kwargs", neutral: [[:]]),
    Field("prompt_embeds"), Field("thinking_token_budget"), Field("repetition_detection"),
    Field("logprob_token_ids", neutral: [[]]), Field("prompt_adapter"), Field("lora_request"),
    Field("media_io_kwargs", neutral: [[:]]), Field("structural_tag"),
    // llama.cpp and others.
    Field("typical_p", neutral: [1]), Field("tfs_z", neutral: [1]), Field("top_a", neutral: [0]),
    Field("mirostat", neutral: [0]), Field("dynatemp_range", neutral: [0]), Field("xtc_probability", neutral: [0]),
    Field("dry_multiplier", neutral: [0]), Field("top_n_sigma", neutral: [-1, 0]), Field("samplers"),
    Field("repeat_penalty", neutral: [1], "expected repetition_penalty"),
    Field("n_predict", neutral: [-1], "expected max_tokens"),
    Field("epsilon_cutoff", neutral: [0]), Field("eta_cutoff", neutral: [0]),
    Field("no_repeat_ngram_size", neutral: [0]),
  ]

  /// Those of `/v1/chat/completions` alone.
  private static let chatFields = [
    Field("echo", neutral: [false], "expected continue_final_message to go on with a message")
  ]

  /// Those of `/v1/responses`, and parameters of chats that have another name there. What the others share is looked at
  /// when the request is read as a chat.
  private static let responsesFields = [
    Field("background", neutral: [false], "expected false: who asks waits for the answer, or reads it as a stream"),
    Field("conversation", "expected previous_response_id, or all items in input"),
    Field("prompt", "expected instructions and input: there are no prompts to refer to"),
    Field("context_management", neutral: [[]], "expected truncation, or fewer items in input"), Field("moderation"),
    Field("messages", "expected input"), Field("n", neutral: [1], "expected 1: a response is one answer"),
    Field("max_tokens", "expected max_output_tokens"), Field("max_completion_tokens", "expected max_output_tokens"),
    Field("response_format", "expected text.format"), Field("reasoning_effort", "expected reasoning.effort"),
    Field("verbosity", "expected text.verbosity"),
    Field("logprobs", "expected message.output_text.logprobs in include"), Field("prompt_logprobs"),
    Field("continue_final_message", neutral: [false]), Field("add_generation_prompt", neutral: [true]),
  ]

  /// Those of `/v1/messages`, likewise.
  private static let messagesFields = [
    Field("container"), Field("mcp_servers", neutral: [[]], "expected tools, which the client runs"),
    Field("context_management", "expected fewer messages"), Field("n", neutral: [1], "expected 1"),
    Field("max_completion_tokens", "expected max_tokens"), Field("stop", "expected stop_sequences"),
    Field("response_format", "expected output_config.format"),
    Field("reasoning_effort", "expected output_config.effort"), Field("logprobs", neutral: [false]),
    Field("top_logprobs"), Field("prompt_logprobs"), Field("return_token_ids", neutral: [false]),
    Field("return_token_origins", neutral: [false]), Field("parallel_tool_calls", "expected tool_choice"),
    Field("continue_final_message", "expected a last message of the assistant"), Field("add_generation_prompt"),
  ]

  package static func refuseInResponses(_ request: JSONFields) throws(APIError) {
    try refuse(request, responsesFields)
  }

  package static func refuseInMessages(_ request: JSONFields) throws(APIError) {
    try refuse(request, messagesFields)
  }

  /// - Throws: 400 naming the first parameter that asks for what there is not.
  package static func refuse(_ request: JSONFields, inChat: Bool) throws(APIError) {
    try refuse(request, inChat ? fields + chatFields : fields)
  }

  private static func refuse(_ request: JSONFields, _ fields: [Field]) throws(APIError) {
    for field in fields {
      guard let value = request.value(field.name), !field.neutral.contains(where: { same($0, value) }) else {
        continue
      }
      throw .badRequest(
        "\(field.name) is \(JSONFields.shown(value)), which is not supported; \(field.advice)", parameter: field.name,
        reason: "not supported; \(field.advice)")
    }
  }

  /// Whether both are the same value; 1 and 1.0 are.
  private static func same(_ first: JSONValue, _ second: JSONValue) -> Bool {
    if let first = first.double, let second = second.double { return first == second }
    return first == second
  }
}
