import Foundation
import Inference
import Measurement
import ModelFiles
import Tensor
import TestSupport
import Testing

@Suite struct ForwardBenchmarkTests {
  @Test("the median and quartiles are those of the sorted values")
  func spread() {
    let spread = Spread([5, 1, 3, 2, 4])
    #expect(spread.median == 3 && spread.lowerQuartile == 2 && spread.upperQuartile == 4 && spread.minimum == 1)
    #expect(Spread([1, 2]).median == 1.5)
    #expect(Spread([7]).upperQuartile == 7)
  }

  @Test("every shape is a configuration of its size", arguments: ModelShape.allCases)
  func shapes(shape: ModelShape) throws {
    let configuration = try shape.configuration()
    let parameters = Double(DecoderTensors(configuration).all.reduce(0) { $0 + $1.count }) / 1e9
    let billions: [ModelShape: Double] = [
      .qwen3Smallest: 0.596, .qwen3Small: 1.72, .qwen3Medium: 4.02, .qwen3Large: 8.19,
      .qwen3Experts: 30.5, .gptOss: 20.9,
    ]
    let expected = try #require(billions[shape])
    #expect(abs(parameters - expected) < 0.01 * expected)
  }

  @Test(
    "a report has every pass of the plan, with floors that grow with the work",
    arguments: [Quantization.none, .int8, .int4])
  func report(quantization: Quantization) throws {
    var configuration = EngineConfiguration(model: Places.draft)
    (configuration.quantization, configuration.threads) = (quantization, 2)
    let plan = ForwardBenchmark.Plan(rows: [1, 4], prefills: [40], contexts: [0, 64], repetitions: 2, chunk: 16)
    let report = try ForwardBenchmark(configuration, plan: plan).run { _, _ in }
    #expect(report.passes.map(\.rows) == [1, 4, 40, 1, 4, 40])
    #expect(report.passes.map(\.context) == [0, 0, 0, 64, 64, 64])
    for pass in report.passes {
      #expect(pass.seconds.median > 0 && pass.floorSeconds > 0)
      // Laps cover the pass.
      #expect(pass.breakdown.values.reduce(0, +) <= pass.seconds.upperQuartile * 2)
    }
    #expect(report.passes[0].bytes < report.passes[3].bytes)
    #expect(report.passes[0].ratioToSingle?.median == 1)
    #expect(report.head == nil)
  }

  @Test("the steps of a head are timed beside the passes of its model")
  func head() throws {
    var configuration = EngineConfiguration(model: Places.target)
    configuration.threads = 2
    // No more rows and positions than the passes need: the head asks for its own.
    let plan = ForwardBenchmark.Plan(rows: [1], prefills: [], contexts: [0, 40], repetitions: 2, chunk: 16)
    let report = try ForwardBenchmark(configuration, plan: plan, head: Places.head).run { _, _ in }
    #expect(report.passes.map(\.rows) == [1, 1])
    let head = try #require(report.head)
    #expect(head.packedWeightBytes > 0 && head.packedWeightBytes < report.packedWeightBytes)
    #expect(head.steps.map(\.context) == [0, 0, 0, 0, 40, 40, 40, 40])
    #expect(head.steps.map(\.rows) == [1, 2, 4, 1, 1, 2, 4, 1])
    #expect(head.steps.map(\.kind) == [.first, .first, .first, .next, .first, .first, .first, .next])
    #expect(head.steps.allSatisfy { $0.seconds.median > 0 && $0.shareOfSingle.median > 0 })
    for (other, message) in [
      (Places.draft, "is no head"), (Places.golden.appendingPathComponent("blocks/flat-plain").path, "does not fit"),
      (Places.golden.appendingPathComponent("heads/specforge-plain").path, "does not fit this target"),
    ] {
      let error = #expect(throws: ModelFileError.self) {
        try ForwardBenchmark(configuration, plan: plan, head: other).run { _, _ in }
      }
      #expect(error?.description.contains(message) == true)
    }
  }

  @Test("blocks of a head are timed by how much they guess", arguments: ["flat-plain", "flat-dspark"])
  func blocks(name: String) throws {
    var configuration = EngineConfiguration(model: Places.golden.appendingPathComponent("heads/target-qwen3").path)
    configuration.threads = 2
    let plan = ForwardBenchmark.Plan(rows: [1], prefills: [], contexts: [0, 20], repetitions: 2, chunk: 16)
    let path = Places.golden.appendingPathComponent("blocks/\(name)").path
    let head = try #require(try ForwardBenchmark(configuration, plan: plan, head: path).run { _, _ in }.head)
    #expect(head.steps.map(\.kind) == Array(repeating: .block, count: head.steps.count))
    #expect(head.steps.map(\.rows) == [1, 3, 5, 1, 3, 5])
    #expect(head.steps.map(\.context) == [0, 0, 0, 20, 20, 20])
    #expect(head.steps.allSatisfy { $0.seconds.median > 0 && $0.shareOfSingle.median > 0 })
  }
}
