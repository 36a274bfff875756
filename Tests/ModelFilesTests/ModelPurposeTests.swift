import Foundation
import ModelFiles
import TestSupport
import Testing

/// What a directory says that its model was made for, in what sentence-transformers wrote over the years.
@Suite struct ModelPurposeTests {
  private static let transformer = module("Transformer", path: "")
  private static let normalise = module("Normalize", path: "2_Normalize")

  private static func pooling(path: String = "1_Pooling") -> String { module("Pooling", path: path) }

  private static func module(_ type: String, path: String = "3") -> String {
    #"{"idx": 0, "name": "0", "path": "\#(path)", "type": "sentence_transformers.models.\#(type)"}"#
  }

  /// What the model in a directory with these files was made for.
  private static func purpose(
    architecture: String = "Qwen3ForCausalLM", modules: [String]? = nil, pooling: String? = nil
  ) throws -> ModelPurpose {
    let directory = try TemporaryDirectory()
    try directory.write(Data(#"{"architectures": ["\#(architecture)"]}"#.utf8), to: "config.json")
    if let modules { try directory.write(Data("[\(modules.joined(separator: ","))]".utf8), to: "modules.json") }
    if let pooling {
      try FileManager.default.createDirectory(
        atPath: directory.path + "/1_Pooling", withIntermediateDirectories: false)
      try directory.write(Data(pooling.utf8), to: "1_Pooling/config.json")
    }
    return try openContainer(at: directory.path).purpose()
  }

  @Test(arguments: [
    (#"{"pooling_mode": "lasttoken"}"#, EmbeddingConfiguration.Pooling.lastToken),
    (#"{"pooling_mode": "mean", "embedding_dimension": 8}"#, .mean),
    (#"{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#, .mean),
    (#"{"pooling_mode_mean_tokens": false, "pooling_mode_lasttoken": true, "include_prompt": true}"#, .lastToken),
  ])
  func `poolings in their older and newer form`(file: String, pooling: EmbeddingConfiguration.Pooling) throws {
    let modules = [Self.transformer, Self.pooling()]
    #expect(
      try Self.purpose(modules: modules, pooling: file)
        == .embedding(EmbeddingConfiguration(pooling: pooling, normalises: false)))
    #expect(
      try Self.purpose(modules: modules + [Self.normalise], pooling: file)
        == .embedding(EmbeddingConfiguration(pooling: pooling, normalises: true)))
  }

  @Test func `without modules the architecture decides`() throws {
    #expect(try Self.purpose() == .generation)
    #expect(try Self.purpose(architecture: "Qwen3Model") == .embedding(EmbeddingConfiguration()))
    #expect(try Self.purpose(modules: [Self.transformer, Self.module("LogitScore")]) == .reranking)
  }

  @Test(arguments: [
    (#"{"pooling_mode": "max"}"#, [pooling()]), (#"{"pooling_mode_cls_token": true}"#, [pooling()]),
    ("{}", [pooling()]),
    (#"{"pooling_mode_mean_tokens": true, "pooling_mode_lasttoken": true}"#, [pooling()]), ("[]", [pooling()]),
    (#"{"pooling_mode": "mean"}"#, [pooling(), module("Dense")]), (#"{"pooling_mode": "mean"}"#, []),
    (#"{"pooling_mode": "mean"}"#, [pooling(path: "../1_Pooling")]),
    (#"{"pooling_mode": "mean"}"#, [pooling(path: "..")]),
    (#"{"pooling_mode": "mean"}"#, [pooling(path: "elsewhere")]),
  ])
  func `what is not computed here is refused with its file`(file: String, modules: [String]) throws {
    let error = #expect(throws: ModelFileError.self) {
      try Self.purpose(modules: [Self.transformer] + modules, pooling: file)
    }
    #expect(error?.description.contains("json") == true)
  }
}
