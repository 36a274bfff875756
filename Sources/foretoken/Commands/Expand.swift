internal import ArgumentParser
internal import Inference
internal import Measurement
internal import ModelFiles
internal import Presentation
internal import Tensor

/// `foretoken expand`: a small trained model in the shape of a large one.
struct Expand: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Embed a trained model in the shape of a larger one, to measure at true size.",
    discussion: """
      The result costs what a model of that shape costs and answers what the small model answers, to rounding: added \
      channels, heads and layers contribute zero, and added token ids never win. The directory names the small model, and \
      the weights are made as they are loaded. With --weights it is an ordinary Hugging Face directory in bf16, which \
      other engines read too: 1.5 GB for qwen3-0.6b, 4 GB for 1.7b, 9 GB for 4b, 17 GB for 8b.

        foretoken expand Models/foretoken-reference-target --shape qwen3-4b --output /tmp/target-4b
        foretoken expand Models/foretoken-reference-draft --shape qwen3-0.6b --output /tmp/draft-0.6b
        foretoken bench speculation -m /tmp/target-4b --draft-model /tmp/draft-0.6b --quantization int4
      """)

  @Argument(help: "A Qwen3 model directory, with or without experts, or ORG/NAME in the Hugging Face cache.")
  var model: String

  @Option(help: "The shape.")
  var shape: ModelShape

  @Option(help: "Of the shape, so many layers instead of all.")
  var layers: Int?

  @Option(name: [.short, .long], help: "The directory to make.")
  var output: String

  @Flag(help: "Write the weights too, as other engines need them.")
  var weights = false

  @Option(help: "Threads to compute on (default: one per physical core).")
  var threads: Int?

  func validate() throws {
    if let threads, !(1...WorkerPool.mostThreads).contains(threads) {
      throw ValidationError("--threads is \(threads); expected 1 to \(WorkerPool.mostThreads).")
    }
  }

  func run() throws {
    let expansion = try ModelExpansion(
      of: ModelSource(model), to: shape, layers: layers, threads: threads ?? WorkerPool.defaultThreadCount)
    if weights {
      let bar = ProgressBar()
      defer { bar.clear() }
      try expansion.write(to: output) { bar.update("writing \(output)", fraction: $0) }
    } else {
      try expansion.writeDescription(to: output)
    }
    note("\(output): \(model) in the shape of \(shape.rawValue)")
  }
}
