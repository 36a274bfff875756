public import ModelFiles
public import Tensor
internal import Transformer

extension ModelExpansion {
  /// What `init(of:configuration:to:peakOutput:)` wants to know of the small model, found by running it on `tokens`.
  ///
  /// - Throws: `ModelFileError` when the model does not load; `RunnerError` for ids outside its vocabulary.
  public static func peakOutput(
    of checkpoint: Checkpoint, configuration: ModelConfiguration, tokens: [Int32], pool: WorkerPool
  ) throws -> Float {
    let limits = RunnerLimits(rows: tokens.count, logitRows: tokens.count, positions: tokens.count)
    let runner = try CPUModelRunner(checkpoint: checkpoint, configuration: configuration, limits: limits, pool: pool)
    var batch = Batch()
    batch.append(tokens, at: 0, blocks: (0..<Int32(runner.capacity.blockCount)).map { $0 }, logitCount: tokens.count)
    let pass = Pass(batch, taps: Taps(layers: [configuration.layerCount], rows: Array(tokens.indices)))
    let stream = try runner.run(pass).taps[0]
    let norm = try checkpoint.tensor("model.norm.weight", shape: [configuration.hiddenSize]).floats()
    return tokens.indices.reduce(Float.infinity) { least, row in
      min(least, zip(stream.row(row), norm).reduce(0) { max($0, abs($1.0 * $1.1)) })
    }
  }
}
