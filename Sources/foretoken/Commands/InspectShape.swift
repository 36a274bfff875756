internal import Inference
internal import Measurement
internal import ModelFiles
internal import Presentation
internal import Tensor

/// What a `config.json` alone tells: whether the model is supported, what memory it takes, and how fast this machine could
/// decode with it.
struct ShapeReport: Encodable {
  let path: String
  private(set) var architecture: [String: String] = [:]
  private(set) var parameters: Int?
  /// Parameters that a token is multiplied by: of experts, those that it goes through.
  private(set) var active_parameters: Int?
  private(set) var kv_cache_bytes_per_token: Int?
  /// By quantization, from the ceilings that were measured just now.
  private(set) var expected: [DecodingEstimate] = []
  /// Why the model cannot be run.
  private(set) var unsupported: [String] = []

  /// Reads the file and measures the machine, which takes a second.
  init(path: String) throws {
    self.path = path
    let configuration: ModelConfiguration
    do { configuration = try ModelConfiguration(file: path) } catch {
      unsupported = ["\(error)"]
      return
    }
    architecture = configuration.facts
    let tensors = DecoderTensors(configuration)
    parameters = tensors.all.reduce(0) { $0 + $1.count }
    active_parameters = tensors.elementsPerRow + tensors.head.count
    kv_cache_bytes_per_token = configuration.keyValueBytesPerToken
    let ceilings = try MachineCeilings.measured(threads: ProcessorShare.current.threads)
    let room = MemoryLimit.availableBytes() ?? 0
    // Of those that are quantised already also as they are.
    expected = ((configuration.storedMethod == nil ? [] : [.file]) + [Quantization.none, .int8, .int4]).map {
      DecodingEstimate(path, configuration, $0, ceilings: ceilings, room: room)
    }
  }

  var lines: [(String, String)] {
    var lines = [("file", path)] + architecture.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    if let parameters, let active_parameters {
      lines.append(
        (
          "parameters",
          "\(Self.billions(parameters)), of which a token goes through \(Self.billions(active_parameters))"
        ))
    }
    if let kv_cache_bytes_per_token {
      lines.append(("KV cache", "\(FigureText.bytes(kv_cache_bytes_per_token)) per token"))
    }
    for estimate in expected {
      let speculation = estimate.speculation.map {
        "\(FigureText.decimal($0.best_speedup, 1))x with a window of \($0.window)"
      }
      lines.append(
        (
          estimate.title,
          "\(FigureText.bytes(estimate.weight_bytes)), \(estimate.fits ? "has room here" : "has no room here"); at most \(FigureText.decimal(estimate.tokens_per_second, 1)) tokens/s on this machine, speculation at best \(speculation.joined(separator: ", "))"
        ))
    }
    return lines + unsupported.map { ("problem", $0) }
  }

  private static func billions(_ count: Int) -> String { "\(FigureText.decimal(Double(count) / 1e9, 2)) B" }
}

extension DecodingEstimate {
  /// How the weights are held.
  fileprivate var title: String {
    switch quantization {
    case Quantization.none.rawValue: "as bf16"
    case Quantization.file.rawValue: "as it is"
    default: "as \(quantization)"
    }
  }
}
