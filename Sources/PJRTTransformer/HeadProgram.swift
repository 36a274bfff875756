internal import ModelFiles
internal import StableHLO

/// Writes the programs of an EAGLE-3 head or an MTP layer on a target, by `HeadConfiguration`.
///
/// *Join* makes one stream of the target's for each position and keeps it; the *body* turns tokens and streams into the
/// residual stream and adds keys and values to the cache; the *output* turns that into logits by the target's tokens, and
/// keeps what a guess after a row goes on from.
struct HeadProgram {
  let configuration: HeadConfiguration
  let parameters: HeadParameters
  /// The target, whose weights the head shares.
  let target: DecoderProgram
  let blockCount: Int
  let blockSize: Int

  /// Layers of the target that are tapped.
  var taps: [Int] { configuration.taps(layerCount: target.configuration.layerCount) }
  /// Format of matrices and of the KV cache; everything else is single precision.
  var element: ScalarType { target.element }
  var partitionCount: Int { target.partitionCount }

  /// Keys or values of one layer: `[blocks, block size, KV heads, head size]`.
  var cacheType: TensorType {
    let layers = configuration.layers
    return TensorType([blockCount, blockSize, layers.kvHeadCount, layers.headSize], element)
  }

  /// The stream of every position of every block: `[blocks · block size, hidden]`.
  var streamsType: TensorType {
    TensorType([blockCount * blockSize, configuration.layers.hiddenSize], .float32)
  }

  /// Takes what joins streams, all streams, the target's streams by tapped layer `[rows, target's hidden]`, and slots
  /// `[rows]`; gives all streams, those of the slots replaced.
  func join(rows: Int) -> Program {
    var builder = ProgramBuilder("join", partitionCount: partitionCount)
    let graph = HeadGraph(self, parameters.joining, &builder)
    let streams = graph.streams(&builder)
    let taps = taps.indices.map { index in
      builder.argument("taps.\(index)", TensorType([rows, configuration.targetHiddenSize], .float32))
    }
    let slots = builder.argument("slots", TensorType([rows], .int32))
    let joined = graph.joined(taps, &builder)
    let kept = builder.scatter(streams, slots, joined)
    return builder.program(returning: [(kept, nil)])
  }

  /// Takes the body's weights, keys and values of every layer, all streams, then tokens, positions, slots and the slots of
  /// the positions before `[rows]`, and tables `[lanes, context / block size]`. Gives the caches, the streams as they are,
  /// and the residual stream `[rows, hidden]`.
  func body(_ size: ProgramSize) -> Program {
    var builder = ProgramBuilder("head_body", partitionCount: partitionCount)
    let graph = HeadGraph(self, parameters.body, &builder)
    var memory = graph.memory(&builder)
    let streams = memory.removeLast()
    let rowType = TensorType([size.rows], .int32)
    let rows = LayerGraph.Rows(
      size: size, tokens: builder.argument("tokens", rowType), positions: builder.argument("positions", rowType),
      slots: builder.argument("slots", rowType),
      tables: builder.argument("tables", TensorType([size.lanes, size.context / blockSize], .int32)))
    let before = builder.gather(streams, builder.argument("slots.before", rowType))
    let residual = graph.residual(rows, after: before, &memory, &builder)
    return builder.program(
      returning: memory.map { ($0, DecoderProgram.cacheSplit) } + [(streams, nil), (residual, nil)])
  }

  /// Takes the output's weights, all streams, the residual stream `[rows, hidden]` and slots `[rows]`; gives all streams,
  /// those of the slots replaced, and logits `[rows, target's vocabulary]`.
  func output(rows: Int) -> Program {
    var builder = ProgramBuilder("head_output", partitionCount: partitionCount)
    let graph = HeadGraph(self, parameters.output, &builder)
    let streams = graph.streams(&builder)
    let residual = builder.argument(
      "residual", TensorType([rows, configuration.layers.hiddenSize], .float32))
    let slots = builder.argument("slots", TensorType([rows], .int32))
    let recycled = graph.recycled(residual, &builder)
    let kept = builder.scatter(streams, slots, recycled)
    let logits = graph.logits(residual, &builder)
    return builder.program(returning: [(kept, nil), (logits, nil)])
  }

  /// Gives keys or values of one layer, all zeros.
  var emptyCache: Program {
    .zeros("cache", cacheType, split: DecoderProgram.cacheSplit, partitionCount: partitionCount)
  }

  /// Gives streams, all zeros.
  var emptyStreams: Program { .zeros("streams", streamsType, split: nil, partitionCount: partitionCount) }
}
