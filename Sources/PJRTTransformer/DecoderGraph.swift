internal import ModelFiles
internal import StableHLO

/// The forward pass as a graph, top to bottom as the papers describe it.
struct DecoderGraph {
  private var builder: ProgramBuilder
  private let program: DecoderProgram
  private let configuration: ModelConfiguration
  private let size: ProgramSize
  private var weights: [String: Value] = [:]

  init(_ program: DecoderProgram, _ size: ProgramSize, name: String) {
    (self.program, configuration, self.size) = (program, program.configuration, size)
    builder = ProgramBuilder(name, partitionCount: program.partitionCount)
  }

  /// What rows share with their lane, and where their keys and values go.
  private struct Rows {
    /// `[lanes, rows per lane]`.
    let positions: Value
    /// `[rows]`.
    let slots: Value
    /// `[lanes, context / block size]`.
    let tables: Value
    /// `[rows, head size / 2]`.
    let cosines, sines: Value
  }

  mutating func head() -> Program {
    addWeights(program.parameters.head)
    let hidden = builder.argument("residual", TensorType([size.rows, configuration.hiddenSize], .float32))
    let normal = norm(hidden, DecoderParameters.finalNorm)
    let matrix = configuration.tiesWordEmbeddings ? DecoderParameters.embedding : DecoderParameters.output
    let logits = linear(normal, matrix)
    return builder.program(returning: [(logits, nil)])
  }

  mutating func body() -> Program {
    addWeights(program.parameters.body)
    let layers = 0..<configuration.layerCount
    var caches = layers.flatMap { layer in cacheArguments(layer) }
    let rowType = TensorType([size.rows], .int32)
    let tokens = builder.argument("tokens", rowType)
    let positions = builder.argument("positions", rowType)
    let slots = builder.argument("slots", rowType)
    let tables = builder.argument("tables", TensorType([size.lanes, size.context / program.blockSize], .int32))
    let rows = Rows(
      positions: builder.reshape(positions, [size.lanes, size.rowsPerLane]), slots: slots, tables: tables,
      cosines: builder.gather(weight(DecoderParameters.cosines), positions),
      sines: builder.gather(weight(DecoderParameters.sines), positions))
    let embedded = builder.gather(weight(DecoderParameters.embedding), tokens)
    var residual = builder.convert(embedded, to: .float32)
    for layer in layers {
      builder.comment("layer \(layer)")
      attend(layer, rows, &residual, &caches)
      feedForward(layer, &residual)
    }
    let split: Int? = DecoderProgram.cacheSplit
    return builder.program(returning: caches.map { ($0, split) } + [(residual, nil)])
  }

  private mutating func addWeights(_ places: [Int]) {
    for place in places {
      let parameter = program.parameters.all[place]
      weights[parameter.name] = builder.argument(parameter.name, program.type(of: parameter), split: parameter.split)
    }
  }

  /// Keys and values of a layer, whose memory the results take.
  private mutating func cacheArguments(_ layer: Int) -> [Value] {
    ["keys", "values"].enumerated().map { place, name in
      builder.argument(
        "cache.\(layer).\(name)", program.cacheType, aliasedResult: 2 * layer + place,
        split: DecoderProgram.cacheSplit)
    }
  }

  private func weight(_ name: String) -> Value {
    guard let value = weights[name] else { preconditionFailure("the program takes no \(name)") }
    return value
  }

  /// residual += output(attention(norm(residual)))
  private mutating func attend(_ layer: Int, _ rows: Rows, _ residual: inout Value, _ caches: inout [Value]) {
    let prefix = "model.layers.\(layer)."
    let (heads, kvHeads, headSize) = (configuration.headCount, configuration.kvHeadCount, configuration.headSize)
    let normal = norm(residual, prefix + "input_layernorm.weight")
    var query = linear(normal, prefix + "self_attn.q_proj.weight")
    var key = linear(normal, prefix + "self_attn.k_proj.weight")
    var value = linear(normal, prefix + "self_attn.v_proj.weight")
    query = builder.reshape(query, [size.rows, heads, headSize])
    key = builder.reshape(key, [size.rows, kvHeads, headSize])
    value = builder.reshape(value, [size.rows, kvHeads, headSize])
    if configuration.hasQueryKeyNorm {
      query = norm(query, prefix + "self_attn.q_norm.weight")
      key = norm(key, prefix + "self_attn.k_norm.weight")
    }
    query = rotate(query, rows)
    key = rotate(key, rows)
    let keys = store(key, in: caches[2 * layer], rows)
    let values = store(value, in: caches[2 * layer + 1], rows)
    (caches[2 * layer], caches[2 * layer + 1]) = (keys, values)
    let mixed = attention(query, keys, values, rows)
    let output = linear(mixed, prefix + "self_attn.o_proj.weight")
    residual = builder.apply(.add, residual, output)
  }

  /// residual += down(silu(gate(norm(residual))) · up(norm(residual)))
  private mutating func feedForward(_ layer: Int, _ residual: inout Value) {
    let prefix = "model.layers.\(layer)."
    let normal = norm(residual, prefix + "post_attention_layernorm.weight")
    let gate = linear(normal, prefix + "mlp.gate_proj.weight")
    let up = linear(normal, prefix + "mlp.up_proj.weight")
    let open = builder.apply(.multiply, gate, builder.apply(.logistic, gate))
    let inner = builder.apply(.multiply, open, up)
    residual = builder.apply(.add, residual, linear(inner, prefix + "mlp.down_proj.weight"))
  }

  /// `x · Wᵀ + b`, with the bias where the model has one: `[rows, outputs]` in single precision.
  private mutating func linear(_ input: Value, _ name: String) -> Value {
    let narrow = builder.convert(input, to: program.element)
    let product = builder.dot(narrow, weight(name), contracting: ([1], [1]), result: .float32)
    guard let bias = weights[name.replacingSuffix("weight", by: "bias")] else { return product }
    return builder.apply(.add, product, builder.broadcast(bias, product.shape, dimensions: [1]))
  }

  /// RMS norm over the innermost dimension.
  private mutating func norm(_ input: Value, _ name: String) -> Value {
    let last = input.shape.count - 1
    let squares = builder.reduce(builder.apply(.multiply, input, input), .add, dimension: last)
    let mean = builder.apply(.divide, squares, Float(input.shape[last]))
    let scale = builder.apply(.rsqrt, builder.apply(.add, mean, configuration.rmsNormEpsilon))
    let scales = builder.broadcast(scale, input.shape, dimensions: Array(0..<last))
    let weights = builder.broadcast(weight(name), input.shape, dimensions: [last])
    return builder.apply(.multiply, builder.apply(.multiply, input, scales), weights)
  }

  /// RoPE: channel `i` of a head turns with channel `i + head size / 2` by its position's angle.
  private mutating func rotate(_ heads: Value, _ rows: Rows) -> Value {
    let (count, headCount, headSize) = (heads.shape[0], heads.shape[1], heads.shape[2])
    let half = headSize / 2
    let first = builder.slice(heads, [0..<count, 0..<headCount, 0..<half])
    let second = builder.slice(heads, [0..<count, 0..<headCount, half..<headSize])
    let cosines = builder.broadcast(rows.cosines, first.shape, dimensions: [0, 2])
    let sines = builder.broadcast(rows.sines, first.shape, dimensions: [0, 2])
    let left = builder.apply(
      .subtract, builder.apply(.multiply, first, cosines), builder.apply(.multiply, second, sines))
    let right = builder.apply(
      .add, builder.apply(.multiply, second, cosines), builder.apply(.multiply, first, sines))
    return builder.concatenate([left, right], dimension: 2)
  }

  /// The cache with each row's keys or values in its slot.
  private mutating func store(_ rowValues: Value, in cache: Value, _ rows: Rows) -> Value {
    let flat = builder.reshape(cache, [cache.shape[0] * cache.shape[1]] + cache.shape[2...])
    let stored = builder.scatter(flat, rows.slots, builder.convert(rowValues, to: program.element))
    return builder.reshape(stored, cache.shape)
  }

  /// Attention of each row to the positions of its lane up to its own: `[rows, heads · head size]`.
  private mutating func attention(_ query: Value, _ keys: Value, _ values: Value, _ rows: Rows) -> Value {
    let (kvHeads, headSize) = (configuration.kvHeadCount, configuration.headSize)
    let group = configuration.headCount / kvHeads
    let context = [size.lanes, size.context, kvHeads, headSize]
    let laneKeys = builder.reshape(builder.gather(keys, rows.tables), context)
    let laneValues = builder.reshape(builder.gather(values, rows.tables), context)
    let scaled = builder.convert(
      builder.apply(.multiply, query, 1 / Float(headSize).squareRoot()), to: program.element)
    let queries = builder.reshape(scaled, [size.lanes, size.rowsPerLane, kvHeads, group, headSize])
    let scores = builder.dot(
      queries, laneKeys, batching: ([0, 2], [0, 2]), contracting: ([4], [3]), result: .float32)
    // Scores are [lanes, KV heads, rows per lane, group, context].
    let places = builder.iota(TensorType(scores.shape, .int32), dimension: 4)
    let ends = builder.broadcast(rows.positions, scores.shape, dimensions: [0, 2])
    let isPast = builder.compare(.lessOrEqual, places, ends)
    let masked = builder.select(isPast, scores, builder.splat(-1e30, scores.type))
    let shares = softmax(masked)
    let mixed = builder.dot(
      builder.convert(shares, to: program.element), laneValues, batching: ([0, 1], [0, 2]), contracting: ([4], [1]),
      result: .float32)
    return builder.reshape(
      builder.transpose(mixed, [0, 2, 1, 3, 4]), [size.rows, configuration.headCount * headSize])
  }

  /// Softmax over the innermost dimension.
  private mutating func softmax(_ scores: Value) -> Value {
    let last = scores.shape.count - 1
    let others = Array(0..<last)
    let peaks = builder.reduce(scores, .maximum, dimension: last)
    let heights = builder.apply(.subtract, scores, builder.broadcast(peaks, scores.shape, dimensions: others))
    let powers = builder.apply(.exponential, heights)
    let sums = builder.reduce(powers, .add, dimension: last)
    return builder.apply(.divide, powers, builder.broadcast(sums, scores.shape, dimensions: others))
  }
}

extension String {
  fileprivate func replacingSuffix(_ suffix: String, by other: String) -> String {
    hasSuffix(suffix) ? dropLast(suffix.count) + other : self
  }
}
