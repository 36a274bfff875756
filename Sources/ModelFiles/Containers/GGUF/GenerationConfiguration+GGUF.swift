extension GenerationConfiguration {
  /// Texts of control tokens that end an answer though no key of many files says so.
  ///
  /// Source: llama.cpp, which looks for these among others (`special_eog_ids`).
  private static let endings: Set<String> = [
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>",
  ]
  /// `tokenizer.ggml.token_type` of control tokens.
  private static let controlType = 3

  /// Reads the keys of a GGUF file.
  ///
  /// - Throws: `ModelFileError` when one is not as expected.
  init(_ file: GGUFFile) throws(ModelFileError) {
    let metadata = file.metadata
    var ends: [Int] = []
    for kind in ["eos", "eot", "eom"] {
      if let id = try metadata.token("tokenizer.ggml.\(kind)_token_id"), !ends.contains(id) { ends.append(id) }
    }
    let texts = try metadata.strings("tokenizer.ggml.tokens") ?? []
    let types = try metadata.integers("tokenizer.ggml.token_type") ?? []
    for (id, type) in types.enumerated() where type == Self.controlType && id < texts.count && !ends.contains(id) {
      if Self.endings.contains(String(decoding: texts[id], as: UTF8.self)) { ends.append(id) }
    }
    endOfTextTokens = ends
    temperature = try metadata.number("general.sampling.temp", in: 0...100)
    topP = try metadata.number("general.sampling.top_p", in: 0...1)
    topK = try metadata.integer("general.sampling.top_k", in: 0...Int(Int32.max))
    repetitionPenalty = try metadata.number("general.sampling.penalty_repeat", in: 0.01...100)
  }
}
