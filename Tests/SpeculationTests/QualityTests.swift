import Foundation
import Inference
import Tensor
import TestSupport
import Testing
import Tokenization

/// What formats of weights cost, on the shipped target and on models that are exactly it but for outlier channels.
@Suite struct QualityTests {
  static let window = 128
  static let text = Places.root.appendingPathComponent("Training/heldout.txt")

  func measure(
    _ model: String, _ quantization: Quantization, keys: KVCacheFormat = .float16, against: Quantization = .none
  ) throws -> PerplexityMeter.Result {
    let directory = try ModelSource(model)
    let text = String(decoding: try Data(contentsOf: Self.text).prefix(12_000), as: UTF8.self)
    let tokens = Array(directory.tokenizer.encode(text).prefix(12 * Self.window))
    func meter(_ quantization: Quantization, _ keys: KVCacheFormat) throws -> PerplexityMeter {
      var configuration = EngineConfiguration(model: model)
      (configuration.quantization, configuration.cacheFormat) = (quantization, keys)
      configuration.threads = 2
      return try PerplexityMeter(directory, configuration, window: Self.window)
    }
    return try meter(quantization, keys).measure(tokens, against: meter(against, .float16)) { _ in }
  }

  static let twins =
    [4, 6, 8, 10].map { OutlierTwin(OutlierTwin.Place.allCases, exponent: $0) }
    + OutlierTwin.Place.allCases.map { OutlierTwin([$0], exponent: 8) }
    // Channels that are as far below the others.
    + [OutlierTwin(OutlierTwin.Place.allCases, exponent: -8)]

  @Test("a model with outlier channels loses no more by int8 and int4 than the model that it equals", arguments: twins)
  func outlierTwins(twin: OutlierTwin) throws {
    let directory = try TemporaryDirectory()
    try twin.write(of: Places.target, to: directory)
    let exact = try measure(Places.target, .none).perplexity
    let same = try measure(directory.path, .none).perplexity
    #expect(abs(same / exact - 1) < 1e-4)
    #expect(try measure(directory.path, .int8).perplexity / exact - 1 < 0.01)
    #expect(try measure(directory.path, .int4).perplexity / exact - 1 < 0.03)
  }

  @Test("eight bits keep the distribution, four bits most of it, and a text is no further from itself than rounding")
  func divergence() throws {
    let eight = try #require(try measure(Places.target, .int8).divergence)
    #expect(eight.mean < 0.0005 && eight.percentile99 < 0.01 && eight.topAgreement > 0.98)
    let four = try #require(try measure(Places.target, .int4).divergence)
    #expect(four.mean < 0.02 && four.topAgreement > 0.93 && four.mean > eight.mean)
    let none = try #require(try measure(Places.target, .none).divergence)
    #expect(none.largest < 1e-9 && none.topAgreement == 1)
    let bytes = try #require(try measure(Places.target, .none, keys: .int8).divergence)
    #expect(bytes.mean < 0.0005 && bytes.topAgreement > 0.98)
  }

  @Test("keys with outlier channels lose no more in an int8 KV cache than others", arguments: [6, 8])
  func outlierKeys(exponent: Int) throws {
    let directory = try TemporaryDirectory()
    try OutlierTwin([.keys], exponent: exponent).write(of: Places.target, to: directory)
    let exact = try measure(Places.target, .none).perplexity
    let found = try measure(directory.path, .none, keys: .int8)
    #expect(abs(found.perplexity / exact - 1) < 0.01)
    #expect(try #require(found.divergence).mean < 0.0005)
  }

  @Test("a file's blocks lose next to nothing", arguments: [GGUFWriter.Kind.q8_0, .q4_0])
  func blocks(kind: GGUFWriter.Kind) throws {
    let directory = try TemporaryDirectory()
    try directory.write(try GGUFModel.writer(of: Places.target, as: kind).data, to: "model.gguf")
    let found = try measure(directory.path + "/model.gguf", .file)
    let exact = try measure(directory.path + "/model.gguf", .none)
    #expect(abs(found.perplexity / exact.perplexity - 1) < 0.005)
    #expect(try #require(found.divergence).mean < 0.0005)
  }
}
