internal import ArgumentParser
internal import Inference
internal import Measurement
internal import ModelFiles
internal import Presentation
internal import Tensor

/// `foretoken expand`: a small trained model in the shape of a large one.
struct Expand: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Embed a trained model, or a head, in the shape of a larger one, to measure at true size.",
    discussion: """
      The result costs what a model of that shape costs and answers what the small model answers, to rounding: added \
      channels, heads and layers contribute zero, and added token ids never win. The directory names the small model, and \
      the weights are made as they are loaded. With --weights it is an ordinary Hugging Face directory in bf16, which \
      other engines read too: 1.5 GB for qwen3-0.6b, 4 GB for 1.7b, 9 GB for 4b, 17 GB for 8b.

      An EAGLE-3 head gets the shape that published heads have on targets of the shape, 32,000 tokens of its own included, \
      and drafts on the expanded target what it drafts on --target.

        foretoken expand Models/foretoken-reference-target --shape qwen3-4b --output /tmp/target-4b
        foretoken expand Models/foretoken-reference-draft --shape qwen3-0.6b --output /tmp/draft-0.6b
        foretoken bench speculation -m /tmp/target-4b --draft-model /tmp/draft-0.6b --quantization int4

        foretoken expand Models/foretoken-reference-eagle3 --target Models/foretoken-reference-target --shape qwen3-4b \
          --output /tmp/head-4b
        foretoken bench speculation -m /tmp/target-4b --draft-model /tmp/head-4b --quantization int4
      """)

  @Argument(
    help: "A Qwen3 model, with or without experts, or a head: a directory, or ORG/NAME in the Hugging Face cache.")
  var model: String

  @Option(help: "The shape; of a head, its target's.")
  var shape: ModelShape

  @Option(help: "Of a head: the model that it goes on from, not expanded.", completion: .model)
  var target: String?

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
    let container = try HubCache().open(model)
    if let head = try container.head() {
      try expand(head)
    } else {
      guard target == nil else { throw ValidationError("--target is for heads, and '\(model)' is none.") }
      let expansion = try ModelExpansion(
        of: ModelSource(model), to: shape, layers: layers, threads: threads ?? WorkerPool.defaultThreadCount)
      try write(expansion.write(to:progress:)) { try expansion.writeDescription(to: output) }
    }
    note("\(output): \(model) in the shape of \(target == nil ? "" : "heads on ")\(shape.rawValue)")
  }

  private func expand(_ head: Head) throws {
    guard let target else {
      throw ValidationError("'\(model)' is a head: name the model that it goes on from with --target.")
    }
    guard layers == nil else { throw ValidationError("--layers is for models, and '\(model)' is a head.") }
    let expansion = try HeadExpansion(of: head, on: HubCache().open(target), to: shape.configuration())
    try write(expansion.write(to:progress:)) { try expansion.writeDescription(to: output) }
  }

  private func write(
    _ all: (_ path: String, _ progress: (Double) -> Void) throws -> Void, orDescribe describe: () throws -> Void
  ) throws {
    guard weights else { return try describe() }
    let bar = ProgressBar()
    defer { bar.clear() }
    try all(output) { bar.update("writing \(output)", fraction: $0) }
  }
}
