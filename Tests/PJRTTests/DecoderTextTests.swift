import Foundation
import ModelFiles
import PJRTTransformer
import StableHLO
import TestSupport
import Testing
import Transformer

/// The decoder's programs as they were when a person last read them.
///
/// After a change that is meant, `FORETOKEN_GOLDEN=write` writes them anew; read the diff.
@Suite(.serialized) struct DecoderTextTests {
  private static let folder = Places.golden.appendingPathComponent("stablehlo")
  private static let writes = ProcessInfo.processInfo.environment["FORETOKEN_GOLDEN"] == "write"

  /// What is written: a model, how many devices share it, and how it is kept.
  struct Example: Sendable, CustomTestStringConvertible {
    let model: String
    let partitionCount: Int
    let element: PJRTOptions.Element
    var testDescription: String { "\(model) on \(partitionCount) devices" }
  }

  static let examples = [
    Example(model: "qwen3-grouped", partitionCount: 1, element: .bfloat16),
    Example(model: "llama-biases", partitionCount: 2, element: .float32),
  ]

  @Test("programs are as they were read", arguments: examples)
  func golden(example: Example) throws {
    let configuration = try ModelConfiguration(
      directory: Places.golden.appendingPathComponent("forward/\(example.model)").path)
    var options = PJRTOptions()
    options.partitionCount = example.partitionCount
    let plan = try DecoderPlan(
      configuration, limits: RunnerLimits(rows: 8, logitRows: 8, sequences: 2, positions: 64), options: options,
      element: example.element)
    for entry in plan.programs { try expect(entry.program.text, equals: "\(example.model).\(entry.program.name).mlir") }
  }

  private func expect(_ text: String, equals name: String) throws {
    let file = Self.folder.appendingPathComponent(name)
    if Self.writes {
      try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    let golden = try String(contentsOf: file, encoding: .utf8)
    let (new, old) = (text.split(separator: "\n"), golden.split(separator: "\n"))
    let first = zip(new, old).first { $0 != $1 }
    #expect(
      text == golden,
      "\(name): the first difference: now '\(first?.0 ?? "(nothing)")', before '\(first?.1 ?? "(nothing)")'")
  }
}
