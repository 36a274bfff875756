internal import ModelFiles
internal import StableHLO
internal import Tensor

/// The layers of a decoder or of a head as a graph: what both are made of, operation by operation.
struct LayerGraph {
  let configuration: ModelConfiguration
  /// Format of matrices and of the KV cache.
  let element: ScalarType
  /// By name in programs.
  let weights: [String: Value]
  /// Whether only the first position sees that one.
  var skipsFirst = false

  /// What a pass computes.
  struct Rows {
    let size: ProgramSize
    /// `[rows]`; a slot is where in the cache a row's keys and values go.
    let tokens, positions, slots: Value
    /// `[lanes, context / block size]`.
    let tables: Value
  }

  /// What follows from rows' positions.
  struct Places {
    /// `[rows, head size / 2]`.
    let cosines, sines: Value
    /// The same in layers that have a window, where theirs are others.
    let window: (cosines: Value, sines: Value)?
    /// The last position that each row attends to, `[lanes, rows per lane]`.
    let ends: Value
  }

  func places(of rows: Rows, _ builder: inout ProgramBuilder) -> Places {
    Places(
      cosines: builder.gather(weight(DecoderParameters.cosines), rows.positions),
      sines: builder.gather(weight(DecoderParameters.sines), rows.positions),
      window: configuration.windowRotary == nil
        ? nil
        : (
          builder.gather(weight(DecoderParameters.windowCosines), rows.positions),
          builder.gather(weight(DecoderParameters.windowSines), rows.positions)
        ),
      ends: builder.reshape(rows.positions, [rows.size.lanes, rows.size.rowsPerLane]))
  }

  /// Adds what a layer finds to the residual stream `[rows, hidden]`, and its keys and values to `caches`.
  ///
  /// - Parameter input: what attention reads in place of the normalised stream.
  func add(
    _ layer: DecoderLayer, _ index: Int, reading input: Value? = nil, _ rows: Rows, _ places: Places,
    to residual: inout Value, _ caches: inout [Value], _ builder: inout ProgramBuilder
  ) {
    switch layer.mixer {
    case .attention(let tensors): attend(tensors, index, to: input, rows, places, &residual, &caches, &builder)
    case .deltaNet: preconditionFailure("DecoderPlan refuses models with recurrent layers")
    }
    switch layer.feedForward {
    case .gated(let tensors): feedForward(tensors, &residual, &builder)
    case .experts: preconditionFailure("DecoderPlan refuses models with experts")
    }
  }

  func weight(_ tensor: DecoderTensor) -> Value { weight(tensor.name.huggingFace) }

  func weight(_ name: String) -> Value {
    guard let value = weights[name] else { preconditionFailure("the program takes no \(name)") }
    return value
  }

  /// cap · tanh(value / cap), where there is a cap.
  func capped(_ value: Value, _ cap: Float?, _ builder: inout ProgramBuilder) -> Value {
    guard let cap else { return value }
    // tanh(x) = 2σ(2x) − 1
    let half = builder.apply(.logistic, builder.apply(.multiply, value, 2 / cap))
    return builder.apply(.subtract, builder.apply(.multiply, half, 2 * cap), cap)
  }

  /// residual += output(attention(input)), where the input is norm(residual) unless there is another.
  private func attend(
    _ tensors: AttentionTensors, _ layer: Int, to input: Value?, _ rows: Rows, _ places: Places,
    _ residual: inout Value, _ caches: inout [Value], _ builder: inout ProgramBuilder
  ) {
    let (heads, kvHeads, headSize) = (tensors.headCount, tensors.kvHeadCount, tensors.headSize)
    let normal = input ?? norm(residual, tensors.norm, &builder)
    var query = linear(normal, tensors.query, &builder)
    var key = linear(normal, tensors.key, &builder)
    var value = linear(normal, tensors.value, &builder)
    query = builder.reshape(query, [rows.size.rows, heads, headSize])
    key = builder.reshape(key, [rows.size.rows, kvHeads, headSize])
    value = builder.reshape(value, [rows.size.rows, kvHeads, headSize])
    if let queryNorm = tensors.queryNorm { query = norm(query, queryNorm, &builder) }
    if let keyNorm = tensors.keyNorm { key = norm(key, keyNorm, &builder) }
    let window = configuration.window(ofLayer: layer)
    let angles = window == nil ? nil : places.window
    query = rotate(query, angles ?? (places.cosines, places.sines), &builder)
    key = rotate(key, angles ?? (places.cosines, places.sines), &builder)
    let keys = store(key, in: caches[2 * layer], rows, &builder)
    let values = store(value, in: caches[2 * layer + 1], rows, &builder)
    (caches[2 * layer], caches[2 * layer + 1]) = (keys, values)
    let mixed = attention(query, keys, values, rows, ends: places.ends, window: window, &builder)
    var output = linear(mixed, tensors.output, &builder)
    if let postNorm = tensors.postNorm { output = norm(output, postNorm, &builder) }
    residual = builder.apply(.add, residual, output)
  }

  /// residual += down(activation(gate(norm(residual))) · up(norm(residual)))
  private func feedForward(_ tensors: GatedTensors, _ residual: inout Value, _ builder: inout ProgramBuilder) {
    let normal = norm(residual, tensors.norm, &builder)
    let gate = linear(normal, tensors.gate, &builder)
    let up = linear(normal, tensors.up, &builder)
    let open = builder.apply(.multiply, gate, builder.apply(.logistic, openness(of: gate, &builder)))
    let inner = builder.apply(.multiply, open, up)
    var output = linear(inner, tensors.down, &builder)
    if let postNorm = tensors.postNorm { output = norm(output, postNorm, &builder) }
    residual = builder.apply(.add, residual, output)
  }

  /// What the logistic function makes the factor of: x · σ(x), or by the tangent's approximation of GELU x · σ(2u), where
  /// u = √(2/π) · (x + 0.044715 x³).
  private func openness(of gate: Value, _ builder: inout ProgramBuilder) -> Value {
    switch configuration.activation {
    case .silu: return gate
    case .clamped: preconditionFailure("DecoderPlan refuses models with experts, whose gates these are")
    case .geluTanh:
      let squares = builder.apply(.multiply, builder.apply(.multiply, gate, gate), 0.0713548163)
      return builder.apply(.multiply, gate, builder.apply(.add, squares, 1.59576912))
    }
  }

  /// `x · Wᵀ + b`, with the bias where the model has one: `[rows, outputs]` in single precision.
  private func linear(_ input: Value, _ tensors: ProjectionTensors, _ builder: inout ProgramBuilder) -> Value {
    let product = linear(input, tensors.weight, &builder)
    guard let bias = tensors.bias else { return product }
    return builder.apply(.add, product, builder.broadcast(weight(bias), product.shape, dimensions: [1]))
  }

  /// `x · Wᵀ`: `[rows, outputs]` in single precision.
  func linear(_ input: Value, _ matrix: DecoderTensor, _ builder: inout ProgramBuilder) -> Value {
    linear(input, by: weight(matrix), &builder)
  }

  /// The same with a matrix that is no weight of its own.
  func linear(_ input: Value, by matrix: Value, _ builder: inout ProgramBuilder) -> Value {
    let narrow = builder.convert(input, to: element)
    return builder.dot(narrow, matrix, contracting: ([1], [1]), result: .float32)
  }

  /// RMS norm over the innermost dimension.
  func norm(_ input: Value, _ tensor: DecoderTensor, _ builder: inout ProgramBuilder) -> Value {
    norm(input, by: weight(tensor), epsilon: configuration.rmsNormEpsilon, &builder)
  }

  /// The same with weights that are not its own, or with another epsilon.
  func norm(_ input: Value, by weight: Value, epsilon: Float, _ builder: inout ProgramBuilder) -> Value {
    let last = input.shape.count - 1
    let squares = builder.reduce(builder.apply(.multiply, input, input), .add, dimension: last)
    let mean = builder.apply(.divide, squares, Float(input.shape[last]))
    let scale = builder.apply(.rsqrt, builder.apply(.add, mean, epsilon))
    let scales = builder.broadcast(scale, input.shape, dimensions: Array(0..<last))
    let weights = builder.broadcast(weight, input.shape, dimensions: [last])
    return builder.apply(.multiply, builder.apply(.multiply, input, scales), weights)
  }

  /// RoPE: channel `i` of a head turns with channel `i + head size / 2` by its position's angle.
  private func rotate(
    _ heads: Value, _ angles: (cosines: Value, sines: Value), _ builder: inout ProgramBuilder
  ) -> Value {
    let (count, headCount, headSize) = (heads.shape[0], heads.shape[1], heads.shape[2])
    let half = headSize / 2
    let first = builder.slice(heads, [0..<count, 0..<headCount, 0..<half])
    let second = builder.slice(heads, [0..<count, 0..<headCount, half..<headSize])
    let cosines = builder.broadcast(angles.cosines, first.shape, dimensions: [0, 2])
    let sines = builder.broadcast(angles.sines, first.shape, dimensions: [0, 2])
    let left = builder.apply(
      .subtract, builder.apply(.multiply, first, cosines), builder.apply(.multiply, second, sines))
    let right = builder.apply(
      .add, builder.apply(.multiply, second, cosines), builder.apply(.multiply, first, sines))
    return builder.concatenate([left, right], dimension: 2)
  }

  /// The cache with each row's keys or values in its slot.
  private func store(_ rowValues: Value, in cache: Value, _ rows: Rows, _ builder: inout ProgramBuilder) -> Value {
    let flat = builder.reshape(cache, [cache.shape[0] * cache.shape[1]] + cache.shape[2...])
    let stored = builder.scatter(flat, rows.slots, builder.convert(rowValues, to: element))
    return builder.reshape(stored, cache.shape)
  }

  /// Attention of each row to the positions of its lane up to its own, or the last `window` of them:
  /// `[rows, heads · head size]`.
  private func attention(
    _ query: Value, _ keys: Value, _ values: Value, _ rows: Rows, ends: Value, window: Int?,
    _ builder: inout ProgramBuilder
  ) -> Value {
    let size = rows.size
    let (kvHeads, headSize) = (configuration.kvHeadCount, configuration.headSize)
    let group = configuration.headCount / kvHeads
    let context = [size.lanes, size.context, kvHeads, headSize]
    let laneKeys = builder.reshape(builder.gather(keys, rows.tables), context)
    let laneValues = builder.reshape(builder.gather(values, rows.tables), context)
    let scaled = builder.convert(
      builder.apply(.multiply, query, configuration.attentionScale), to: element)
    let queries = builder.reshape(scaled, [size.lanes, size.rowsPerLane, kvHeads, group, headSize])
    let products = builder.dot(
      queries, laneKeys, batching: ([0, 2], [0, 2]), contracting: ([4], [3]), result: .float32)
    let scores = capped(products, configuration.attentionSoftCap, &builder)
    // Scores are [lanes, KV heads, rows per lane, group, context].
    let places = builder.iota(TensorType(scores.shape, .int32), dimension: 4)
    let limits = builder.broadcast(ends, scores.shape, dimensions: [0, 2])
    let isPast = builder.compare(.lessOrEqual, places, limits)
    let hidden = builder.splat(-1e30, scores.type)
    var masked = builder.select(isPast, scores, hidden)
    if skipsFirst {
      // The first position sees itself alone.
      let firsts = builder.apply(.minimum, limits, builder.splat(UInt64(1), limits.type))
      masked = builder.select(builder.compare(.greaterOrEqual, places, firsts), masked, hidden)
    }
    if let window {
      let firsts = builder.apply(.subtract, limits, builder.splat(UInt64(clamping: window), limits.type))
      masked = builder.select(builder.compare(.greater, places, firsts), masked, hidden)
    }
    let shares = softmax(masked, &builder)
    let mixed = builder.dot(
      builder.convert(shares, to: element), laneValues, batching: ([0, 1], [0, 2]), contracting: ([4], [1]),
      result: .float32)
    return builder.reshape(
      builder.transpose(mixed, [0, 2, 1, 3, 4]), [size.rows, configuration.headCount * headSize])
  }

  /// Softmax over the innermost dimension.
  private func softmax(_ scores: Value, _ builder: inout ProgramBuilder) -> Value {
    let last = scores.shape.count - 1
    let others = Array(0..<last)
    let peaks = builder.reduce(scores, .maximum, dimension: last)
    let heights = builder.apply(.subtract, scores, builder.broadcast(peaks, scores.shape, dimensions: others))
    let powers = builder.apply(.exponential, heights)
    let sums = builder.reduce(powers, .add, dimension: last)
    return builder.apply(.divide, powers, builder.broadcast(sums, scores.shape, dimensions: others))
  }
}
