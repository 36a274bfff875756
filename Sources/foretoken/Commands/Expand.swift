internal import ArgumentParser
internal import Foundation
internal import Inference
internal import Measurement
internal import ModelFiles
internal import Tensor
internal import Tokenization

/// `foretoken expand`: a small trained model in the shape of a large one.
struct Expand: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Embed a trained model in the shape of a larger one, to measure at true size.",
    discussion: """
      The result costs what a model of that shape costs and answers what the small model answers, to rounding: added \
      channels, heads and layers contribute zero, and added token ids never win. It is an ordinary Hugging Face \
      directory in bf16: 1.5 GB for qwen3-0.6b, 4 GB for 1.7b, 9 GB for 4b, 17 GB for 8b.

        foretoken expand Models/foretoken-reference-target --shape qwen3-4b --output /tmp/target-4b
        foretoken expand Models/foretoken-reference-draft --shape qwen3-0.6b --output /tmp/draft-0.6b
        foretoken bench speculation -m /tmp/target-4b --draft-model /tmp/draft-0.6b --quantization int4
      """)

  @Argument(help: "A Qwen3 model directory, or ORG/NAME in the Hugging Face cache.")
  var model: String

  @Option(help: "The shape.")
  var shape: ModelShape

  @Option(name: [.short, .long], help: "The directory to make.")
  var output: String

  @Option(help: "Threads to compute on (default: one per physical core).")
  var threads: Int?

  /// Text of several kinds: the model's outputs on it set the scale of the constant channels.
  private static let sample = """
    The morning was cold, and nobody in the village had slept. {"name": "Ada", "age": 36, "tags": ["x", "y"]}
    def add(a, b):\n    return a + b\n\n1. one\n2. two\n3. three\nDear Sir, thank you for your letter of 12 May 2024.
    """

  func validate() throws {
    if let threads, !(1...WorkerPool.mostThreads).contains(threads) {
      throw ValidationError("--threads is \(threads); expected 1 to \(WorkerPool.mostThreads).")
    }
  }

  func run() throws {
    let directory = try ModelSource(model)
    let peak = try ModelExpansion.peakOutput(
      of: directory, tokens: directory.tokenizer.encode(Self.sample),
      threads: threads ?? WorkerPool.defaultThreadCount)
    let expansion = try ModelExpansion(
      of: directory.checkpoint, configuration: directory.configuration, to: shape.configuration(), peakOutput: peak)
    let bar = ProgressBar()
    defer { bar.clear() }
    try expansion.write(to: output) { bar.update("writing \(output)", fraction: $0) }
    bar.clear()
    note("\(output): \(model) in the shape of \(shape.rawValue)")
  }
}
