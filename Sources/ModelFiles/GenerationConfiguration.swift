/// `generation_config.json`: how the model's makers mean it to be sampled.
public struct GenerationConfiguration: Sendable, Equatable {
  /// Tokens that end an answer: those of `generation_config.json` and of `config.json`.
  public let endOfTextTokens: [Int]
  /// Suggested sampling; `nil` where nothing is said.
  public let temperature, topP, repetitionPenalty: Double?
  /// Suggested number of likeliest tokens to keep.
  public let topK: Int?

  /// Reads the file of a model directory, if there is one; ends of text stand in `config.json` too.
  ///
  /// - Throws: `ModelFileError` when a file is there and not as expected.
  package init(directory: String) throws(ModelFileError) {
    let path = directory + "/generation_config.json"
    let file = JSONFile.exists(path) ? try JSONFile.decode(GenerationFile.self, at: path) : nil
    let config = try JSONFile.decode(GenerationFile.self, at: directory + "/config.json")
    var ends: [Int] = []
    for (source, tokens) in [(path, file?.eos_token_id), (directory + "/config.json", config.eos_token_id)] {
      for id in tokens?.ids ?? [] {
        guard (0...Int(Int32.max)).contains(id) else {
          throw ModelFileError(source, "eos_token_id is \(id); expected a token id")
        }
        if !ends.contains(id) { ends.append(id) }
      }
    }
    endOfTextTokens = ends
    func check(_ key: String, _ value: Double?, in range: ClosedRange<Double>) throws(ModelFileError) {
      guard let value, !range.contains(value) else { return }
      throw ModelFileError(path, "\(key) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
    }
    try check("temperature", file?.temperature, in: 0...100)
    try check("top_p", file?.top_p, in: 0...1)
    try check("repetition_penalty", file?.repetition_penalty, in: 0.01...100)
    if let count = file?.top_k, !(0...Int(Int32.max)).contains(count) {
      throw ModelFileError(path, "top_k is \(count); expected 0 (all) or more")
    }
    temperature = file?.do_sample == false ? 0 : file?.temperature
    topP = file?.top_p
    topK = file?.top_k
    repetitionPenalty = file?.repetition_penalty
  }

  private struct GenerationFile: Decodable {
    let eos_token_id: TokenList?
    let do_sample: Bool?
    let temperature, top_p, repetition_penalty: Double?
    let top_k: Int?
  }

  /// One id or several.
  private struct TokenList: Decodable {
    let ids: [Int]

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      ids = try (try? container.decode([Int].self)) ?? [container.decode(Int.self)]
    }
  }
}
