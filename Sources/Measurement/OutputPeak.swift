package import Inference
internal import ModelFiles
internal import Tensor
internal import Tokenization
internal import Transformer

extension ModelExpansion {
  /// Text of several kinds: the model's outputs on it set the scale of the constant channels.
  private static let sample = """
    The morning was cold, and nobody in the village had slept. {"name": "Ada", "age": 36, "tags": ["x", "y"]}
    def add(a, b):\n    return a + b\n\n1. one\n2. two\n3. three\nDear Sir, thank you for your letter of 12 May 2024.
    """

  /// Plans the expansion of a model to the shape of a well-known one.
  ///
  /// - Parameter layers: how many layers, if not all of the shape's.
  /// - Throws: `ModelFileError` when the model does not load, or that says what the shape has no room for.
  package init(of model: ModelSource, to shape: ModelShape, layers: Int? = nil, threads: Int) throws {
    let peak = try Self.peakOutput(of: model, tokens: model.tokenizer.encode(Self.sample), threads: threads)
    try self.init(
      of: model.checkpoint, configuration: model.configuration, to: shape.configuration(layers: layers),
      peakOutput: peak)
  }

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
    batch.append(
      tokens, at: 0, blocks: (0..<Int32(runner.capacity.blockCount)).map { $0 }, logitCount: tokens.count,
      states: runner.capacity.measuredStates(from: 0, rows: tokens.count, keeping: 0))
    let pass = Pass(batch, taps: Taps(layers: [configuration.layerCount], rows: Array(tokens.indices)))
    let stream = try runner.run(pass).taps[0]
    let norm = try checkpoint.floats(DecoderTensors(configuration).finalNorm)
    return tokens.indices.reduce(Float.infinity) { least, row in
      min(least, zip(stream.row(row), norm).reduce(0) { max($0, abs($1.0 * $1.1)) })
    }
  }
}
