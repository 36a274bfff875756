extension GenerationConfiguration {
  /// Texts of control tokens that end an answer though no key of many files says so.
  ///
  /// Source: llama.cpp, which looks for these among others (`special_eog_ids`).
  private static let endings: Set<String> = [
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>", "<|return|>", "<|call|>",
    "<end_of_turn>",
  ]
  /// In gpt-oss's files `<|end|>` ends a message, after which the answer may go on.
  private static let harmonyEndings: Set<String> = ["<|return|>", "<|call|>"]
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
    var found: [String: Int] = [:]
    for (id, type) in types.enumerated() where type == Self.controlType && id < texts.count {
      let text = String(decoding: texts[id], as: UTF8.self)
      if Self.endings.contains(text) { found[text] = id }
    }
    if Self.harmonyEndings.allSatisfy({ found[$0] != nil }), let end = found.removeValue(forKey: "<|end|>") {
      ends.removeAll { $0 == end }
    }
    for id in found.values.sorted() where !ends.contains(id) { ends.append(id) }
    endOfTextTokens = ends
    temperature = try metadata.number("general.sampling.temp", in: 0...100)
    topP = try metadata.number("general.sampling.top_p", in: 0...1)
    topK = try metadata.integer("general.sampling.top_k", in: 0...Int(Int32.max))
    repetitionPenalty = try metadata.number("general.sampling.penalty_repeat", in: 0.01...100)
  }
}
