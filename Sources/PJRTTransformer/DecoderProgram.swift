internal import ModelFiles
internal import StableHLO

/// Sizes of one program: its rows, and how far back they can look.
package struct ProgramSize: Hashable {
  /// Sequences, or pieces of sequences.
  package var lanes: Int
  /// Consecutive positions of each.
  package var rowsPerLane: Int
  /// Positions of the KV cache that rows can attend to, a multiple of the block size.
  package var context: Int

  /// Rows in all.
  package var rows: Int { lanes * rowsPerLane }
}

/// Writes the programs of a decoder-only transformer: Qwen3, Qwen2.5 and Llama, as `ModelConfiguration` describes them.
///
/// The *body* turns tokens into the residual stream `[rows, hidden]` and adds their keys and values to the KV cache; the
/// *head* turns that into logits. Two programs, so that rows which only read a prompt cost no logits and are computed by
/// the very same operations as those which do want them.
struct DecoderProgram {
  let configuration: ModelConfiguration
  let parameters: DecoderParameters
  /// Format of matrices and of the KV cache; everything else is single precision.
  let element: ScalarType
  let partitionCount: Int
  let blockCount: Int
  let blockSize: Int

  /// Keys or values of one layer: `[blocks, block size, KV heads, head size]`.
  var cacheType: TensorType {
    TensorType([blockCount, blockSize, configuration.kvHeadCount, configuration.headSize], element)
  }
  /// The dimension of `cacheType` that devices share.
  static let cacheSplit = 2

  /// Takes the body's weights, keys and values of every layer, then tokens `[rows]`, positions `[rows]`, slots `[rows]`
  /// (where in the cache each row's keys and values go: block · block size + place) and tables
  /// `[lanes, context / block size]` (the blocks of each lane). Gives the caches, the residual stream and those that enter
  /// the layers of `taps`.
  func body(_ size: ProgramSize, taps: [Int] = []) -> Program {
    var builder = ProgramBuilder(taps.isEmpty ? "body" : "body_tapped", partitionCount: partitionCount)
    let graph = DecoderGraph(self, weights: parameters.body, &builder)
    var caches = graph.caches(&builder)
    let rowType = TensorType([size.rows], .int32)
    let rows = LayerGraph.Rows(
      size: size, tokens: builder.argument("tokens", rowType), positions: builder.argument("positions", rowType),
      slots: builder.argument("slots", rowType),
      tables: builder.argument("tables", TensorType([size.lanes, size.context / blockSize], .int32)))
    var tapped = taps.map { (layer: $0, stream: Value?.none) }
    let residual = graph.residual(rows, &caches, &builder) { layer, stream in
      for index in tapped.indices where tapped[index].layer == layer { tapped[index].stream = stream }
    }
    let streams = [residual] + tapped.map { $0.stream ?? residual }
    return builder.program(returning: caches.map { ($0, Self.cacheSplit) } + streams.map { ($0, nil) })
  }

  /// Takes the head's weights and the residual stream `[rows, hidden]`; gives logits `[rows, vocabulary]`.
  func head(rows: Int) -> Program {
    var builder = ProgramBuilder("head", partitionCount: partitionCount)
    let graph = DecoderGraph(self, weights: parameters.head, &builder)
    let residual = builder.argument("residual", TensorType([rows, configuration.hiddenSize], .float32))
    let logits = graph.logits(residual, &builder)
    return builder.program(returning: [(logits, nil)])
  }

  /// Takes the head's weights and the residual stream `[rows, hidden]`, and to sample also temperatures `[rows]`, the
  /// seeds' halves `[rows]` and output positions `[1, rows]`; gives tokens `[rows]`, while the logits stay where they are.
  func choice(rows: Int, samples: Bool) -> Program {
    var builder = ProgramBuilder(samples ? "choose_sampling" : "choose", partitionCount: partitionCount)
    let graph = DecoderGraph(self, weights: parameters.head, &builder)
    let residual = builder.argument("residual", TensorType([rows, configuration.hiddenSize], .float32))
    let logits = builder.barrier(graph.logits(residual, &builder))
    guard samples else {
      let tokens = DeviceSampler.argmax(logits, &builder)
      return builder.program(returning: [(tokens, nil)])
    }
    let temperatures = builder.argument("temperatures", TensorType([rows], .float64))
    let seeds = DeviceSampler.Seeds(
      low: builder.argument("seeds.low", TensorType([rows], .uint32)),
      high: builder.argument("seeds.high", TensorType([rows], .uint32)))
    let positions = builder.argument("output.positions", TensorType([1, rows], .uint32))
    let noise = DeviceSampler.noise(seeds, positions: positions, vocabulary: logits.shape[1], &builder)
    let scores = DeviceSampler.scores(
      logits, noise: builder.reshape(noise, logits.shape), temperatures: temperatures, &builder)
    let tokens = DeviceSampler.argmax(scores, &builder)
    return builder.program(returning: [(tokens, nil)])
  }

  /// Gives keys or values of one layer, all zeros.
  var emptyCache: Program { .zeros("cache", cacheType, split: Self.cacheSplit, partitionCount: partitionCount) }
}

extension Program {
  /// Gives zeros of a type.
  static func zeros(_ name: String, _ type: TensorType, split: Int?, partitionCount: Int) -> Program {
    var builder = ProgramBuilder(name, partitionCount: partitionCount)
    let zero = builder.splat(Float(0), TensorType([], type.element))
    let zeros = builder.broadcast(zero, type.shape, dimensions: [])
    return builder.program(returning: [(zeros, split)])
  }
}
