internal import ModelFiles
internal import StableHLO

/// The forward pass of a decoder as a graph, top to bottom as the papers describe it.
struct DecoderGraph {
  private let program: DecoderProgram
  private let configuration: ModelConfiguration
  private let layers: LayerGraph
  /// Before the names of arguments.
  private let prefix: String

  /// A graph whose first arguments are the weights at `places`.
  init(_ program: DecoderProgram, weights places: [Int], prefix: String = "", _ builder: inout ProgramBuilder) {
    (self.program, configuration, self.prefix) = (program, program.configuration, prefix)
    let weights = places.map { place in
      let parameter = program.parameters.all[place]
      return (parameter.name, parameter.argument(of: program.element, prefix: prefix, &builder))
    }
    layers = LayerGraph(
      configuration: configuration, element: program.element,
      weights: Dictionary(uniqueKeysWithValues: weights))
  }

  /// Keys and values of every layer as arguments, whose memory the results from `firstResult` on take.
  func caches(firstResult: Int = 0, _ builder: inout ProgramBuilder) -> [Value] {
    builder.caches(
      program.cacheType, layerCount: configuration.layerCount, prefix: prefix, firstResult: firstResult)
  }

  /// The residual stream after the last layer, `[rows, hidden]`; keys and values are added to `caches`.
  ///
  /// - Parameter tap: sees the stream as it enters each layer.
  func residual(
    _ rows: LayerGraph.Rows, _ caches: inout [Value], _ builder: inout ProgramBuilder,
    tap: (_ layer: Int, _ stream: Value) -> Void = { _, _ in }
  ) -> Value {
    let places = layers.places(of: rows, &builder)
    let embedded = builder.gather(layers.weight(tensors.embedding), rows.tokens)
    var residual = builder.convert(embedded, to: .float32)
    if configuration.embeddingScale != 1 {
      residual = builder.apply(.multiply, residual, configuration.embeddingScale)
    }
    for (index, layer) in tensors.layers.enumerated() {
      builder.comment("\(prefix)layer \(index)")
      tap(index, residual)
      layers.add(layer, index, rows, places, to: &residual, &caches, &builder)
    }
    return residual
  }

  /// Logits of the residual stream, `[rows, vocabulary]`.
  func logits(_ residual: Value, _ builder: inout ProgramBuilder) -> Value {
    let normal = layers.norm(residual, tensors.finalNorm, &builder)
    return layers.capped(layers.linear(normal, tensors.head, &builder), configuration.logitSoftCap, &builder)
  }

  /// What heads share with the model.
  var embedding: Value { layers.weight(tensors.embedding) }
  var finalNorm: Value { layers.weight(tensors.finalNorm) }
  var output: Value { layers.weight(tensors.head) }

  private var tensors: DecoderTensors { program.parameters.tensors }
}

extension ProgramBuilder {
  /// Keys and values of every layer as arguments of `type`, whose memory the results from `firstResult` on take.
  mutating func caches(_ type: TensorType, layerCount: Int, prefix: String, firstResult: Int) -> [Value] {
    (0..<2 * layerCount).map { place in
      argument(
        "\(prefix)cache.\(place / 2).\(place % 2 == 0 ? "keys" : "values")", type,
        aliasedResult: firstResult + place, split: DecoderProgram.cacheSplit)
    }
  }
}
