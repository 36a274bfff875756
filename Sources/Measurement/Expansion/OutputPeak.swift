package import Inference
internal import ModelFiles
internal import Tensor
internal import Transformer

extension ModelExpansion {
  /// What `init(of:configuration:to:peakOutput:)` wants to know of the small model, found by running it on `tokens`.
  ///
  /// - Throws: `ModelFileError` when the model does not load; `RunnerError` for ids outside its vocabulary.
  package static func peakOutput(
    of model: ModelSource, tokens: [Int32], threads: Int
  ) throws -> Float {
    let (checkpoint, configuration) = (model.checkpoint, model.configuration)
    var engine = EngineConfiguration(model: model.path)
    (engine.quantization, engine.threads) = (.none, threads)
    let limits = RunnerLimits(rows: tokens.count, logitRows: tokens.count, positions: tokens.count)
    let runner = try CPUBackend(engine).load(checkpoint, configuration, limits: limits) { _ in }
    var batch = Batch()
    batch.append(tokens, at: 0, blocks: (0..<Int32(runner.capacity.blockCount)).map { $0 }, logitCount: tokens.count)
    let pass = Pass(batch, taps: Taps(layers: [configuration.layerCount], rows: Array(tokens.indices)))
    let stream = try runner.run(pass).taps[0]
    let norm = try checkpoint.tensor(DecoderTensors(configuration).finalNorm).floats()
    return tokens.indices.reduce(Float.infinity) { least, row in
      min(least, zip(stream.row(row), norm).reduce(0) { max($0, abs($1.0 * $1.1)) })
    }
  }
}
