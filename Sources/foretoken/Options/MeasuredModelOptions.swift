internal import ArgumentParser
internal import Inference
internal import Measurement
internal import Tensor

extension ModelShape: ExpressibleByArgument {}

/// Flags that say whose passes are timed.
struct MeasuredModelOptions: ParsableArguments {
  @Option(
    name: [.short, .long], help: "A model directory, a GGUF file, or ORG/NAME in the Hugging Face cache.",
    completion: .model)
  var model: String?

  @Option(help: "Instead of a model, random weights in a shape.")
  var shape: ModelShape?

  @Option(help: "Of the shape, so many layers instead of all.")
  var layers: Int?

  @Option(help: "Weights in memory: file (as the file has them), none (bf16), int8 or int4.")
  var quantization = Quantization.file

  @Option(help: "Threads to compute on (default: one per physical core, as far as the quota goes).")
  var threads: Int?

  func validate() throws {
    guard (model == nil) != (shape == nil) else { throw ValidationError("Name one of --model and --shape.") }
    if let layers {
      guard shape != nil else { throw ValidationError("--layers is for --shape.") }
      guard (1...1024).contains(layers) else { throw ValidationError("--layers is \(layers); expected 1 to 1024.") }
    }
    if let threads, !(1...WorkerPool.mostThreads).contains(threads) {
      throw ValidationError("--threads is \(threads); expected 1 to \(WorkerPool.mostThreads).")
    }
  }

  /// How to load it; of a shape everything but the model.
  var configuration: EngineConfiguration {
    var configuration = EngineConfiguration(model: model ?? "")
    configuration.quantization = quantization
    if let threads { configuration.threads = threads }
    return configuration
  }
}
