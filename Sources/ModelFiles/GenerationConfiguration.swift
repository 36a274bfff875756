/// `generation_config.json`: how the model's makers mean it to be sampled.
public struct GenerationConfiguration: Sendable, Equatable {
  /// Tokens that end an answer.
  public let endOfTextTokens: [Int]
  /// Suggested sampling; `nil` where nothing is said.
  public let temperature, topP, repetitionPenalty: Double?
  /// Suggested number of likeliest tokens to keep.
  public let topK: Int?

  /// Reads the file of a model directory; where there is none, `config.json` tells the end of text.
  ///
  /// - Throws: `ModelFileError` when a file is there and not as expected.
  public init(directory: String) throws(ModelFileError) {
    let path = directory + "/generation_config.json"
    let file = JSONFile.exists(path) ? try JSONFile.decode(GenerationFile.self, at: path) : nil
    let config = try JSONFile.decode(GenerationFile.self, at: directory + "/config.json")
    endOfTextTokens = file?.eos_token_id?.ids ?? config.eos_token_id?.ids ?? []
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
