public import Foundation

/// Values that `Tests/Golden/forward.py` computed with `transformers` in single precision.
public struct ForwardReference: Decodable, Sendable {
  /// Tokens that were read.
  public let prompt: [Int32]
  /// Positions whose logits are kept.
  public let positions: [Int]
  /// Their logits.
  public let logits: [[Float]]
  /// The likeliest token after every position of the prompt.
  public let argmax: [Int]
  /// How the text goes on, greedily.
  public let continuation: [Int32]
  /// By how much each token of `continuation` is ahead of the next best.
  public let margins: [Float]
  /// RoPE's angles per position.
  public let inverse_frequencies: [Float]
  /// What YaRN multiplies cosines and sines by.
  public let attention_scaling: Float

  /// Reads a file of `forward.py`.
  public init(_ path: URL) throws {
    self = try JSONDecoder().decode(ForwardReference.self, from: try Data(contentsOf: path))
  }

  /// Where the files are.
  public static let folder = Places.golden.appendingPathComponent("forward")
}

/// What to compare: a model directory and its reference values.
public struct ForwardCase: Sendable, CustomStringConvertible {
  /// What tests call it.
  public let name: String
  /// The model.
  public let directory: String
  /// Its reference values.
  public let expected: URL
  /// The name.
  public var description: String { name }

  /// Random weights, one model for each thing that configurations do differently.
  public static let random: [ForwardCase] = [
    "llama-3-rope", "llama-biases", "llama-linear-half", "llama-many-heads", "llama-single", "qwen2-eight-heads",
    "qwen2-plain", "qwen3-bias-sharded", "qwen3-grouped", "qwen3-tied-odd", "qwen3-wide-heads", "qwen3-yarn",
    "qwen3moe-dense-layers", "qwen3moe-float-router", "qwen3moe-plain", "qwen3moe-stacked",
  ].map { name in
    let folder = ForwardReference.folder.appendingPathComponent(name)
    return ForwardCase(name: name, directory: folder.path, expected: folder.appendingPathComponent("expected.json"))
  }
  /// Random weights, models whose layers have windows: prompts are longer than these.
  public static let windowed: [ForwardCase] = [
    "gemma2", "gemma3", "gemma3-odd", "gptoss-floats", "gptoss-mxfp4", "mistral-full", "mistral-window",
    "qwen2-windows", "qwen3-windows",
  ].map { name in
    let folder = ForwardReference.folder.appendingPathComponent(name)
    return ForwardCase(name: name, directory: folder.path, expected: folder.appendingPathComponent("expected.json"))
  }
  /// The shipped pair.
  public static let pair: [ForwardCase] = [("target", Places.target), ("draft", Places.draft)].map { part, directory in
    let file = ForwardReference.folder.appendingPathComponent("reference-\(part).json")
    return ForwardCase(name: "reference \(part)", directory: directory, expected: file)
  }
}
