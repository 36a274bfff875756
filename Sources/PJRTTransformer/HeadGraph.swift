internal import ModelFiles
internal import StableHLO

/// The forward pass of a head as a graph, which `CPUHeadRunner` describes: a row has the token of its position and the
/// stream of the position before, and nobody but the first position sees that one.
struct HeadGraph {
  private let program: HeadProgram
  private let layers: LayerGraph
  /// The target's weights, by their places among its parameters.
  private let shared: [Int: Value]
  /// Before the names of arguments.
  private let prefix: String

  /// A graph whose first arguments are the weights at `places`.
  init(_ program: HeadProgram, _ places: HeadParameters.Places, _ builder: inout ProgramBuilder) {
    let shared = places.shared.map { place in
      let parameter = program.target.parameters.all[place]
      return (place, parameter.argument(of: program.element, prefix: "target.", &builder))
    }
    self.init(program, own: places.own, shared: Dictionary(uniqueKeysWithValues: shared), &builder)
  }

  /// A graph beside its target's, whose next arguments are all of the head's own weights.
  init(_ program: HeadProgram, beside target: DecoderGraph, prefix: String, _ builder: inout ProgramBuilder) {
    let parameters = program.target.parameters
    // The output matrix may be the embedding.
    var shared = [parameters.embedding: target.embedding, parameters.finalNorm: target.finalNorm]
    shared[parameters.output] = target.output
    self.init(program, own: program.parameters.own, shared: shared, prefix: prefix, &builder)
  }

  private init(
    _ program: HeadProgram, own places: [Int], shared: [Int: Value], prefix: String = "",
    _ builder: inout ProgramBuilder
  ) {
    (self.program, self.shared, self.prefix) = (program, shared, prefix)
    let weights = places.map { place in
      let parameter = program.parameters.all[place]
      return (parameter.name, parameter.argument(of: program.element, prefix: prefix, &builder))
    }
    layers = LayerGraph(
      configuration: program.configuration.layers, element: program.element,
      weights: Dictionary(uniqueKeysWithValues: weights), skipsFirst: true)
  }

  /// Keys and values of every layer, then the streams, as arguments whose memory the results from `firstResult` on take.
  func memory(firstResult: Int = 0, _ builder: inout ProgramBuilder) -> [Value] {
    let caches = builder.caches(
      program.cacheType, layerCount: program.configuration.layers.layerCount, prefix: prefix, firstResult: firstResult)
    return caches + [streams(firstResult: firstResult + caches.count, &builder)]
  }

  /// The stream of every position as an argument whose memory a result takes.
  func streams(firstResult: Int = 0, _ builder: inout ProgramBuilder) -> Value {
    builder.argument(prefix + "streams", program.streamsType, aliasedResult: firstResult)
  }

  /// What rows of the target leave for their positions, `[rows, hidden]`.
  ///
  /// - Parameter taps: the target's streams, by tapped layer, `[rows, target's hidden]`.
  func joined(_ taps: [Value], _ builder: inout ProgramBuilder) -> Value {
    let (configuration, tensors) = (program.configuration, program.parameters.tensors)
    guard configuration.kind != .mtp else {
      return layers.norm(
        taps[0], by: shared(program.target.parameters.finalNorm),
        epsilon: program.target.configuration.rmsNormEpsilon, &builder)
    }
    let streams =
      configuration.streamNorm == .each
      ? zip(taps, tensors.streamNorms).map { layers.norm($0, $1, &builder) } : taps
    var joined = builder.concatenate(streams, dimension: 1)
    if configuration.streamNorm == .joined { joined = layers.norm(joined, tensors.streamNorms[0], &builder) }
    return layers.linear(joined, tensors.fusion, &builder)
  }

  /// The residual stream after the last layer, `[rows, hidden]`; keys and values are added to `caches`.
  ///
  /// - Parameter before: what each row goes on from, `[rows, hidden]`.
  func residual(
    _ rows: LayerGraph.Rows, after before: Value, _ caches: inout [Value], _ builder: inout ProgramBuilder
  ) -> Value {
    let (configuration, tensors) = (program.configuration, program.parameters.tensors)
    let places = layers.places(of: rows, &builder)
    let table = layers.weights[tensors.embedding.name.huggingFace] ?? shared(program.target.parameters.embedding)
    let embedded = builder.convert(builder.gather(table, rows.tokens), to: .float32)
    guard case .attention(let first)? = tensors.layers.first?.mixer else {
      preconditionFailure("HeadPlan refuses heads without attention")
    }
    let norms = configuration.kind == .mtp ? tensors.joinedNorms : [first.norm, first.streamNorm].compactMap(\.self)
    let normal = (
      embedding: layers.norm(embedded, norms[0], &builder), stream: layers.norm(before, norms[1], &builder)
    )
    let paired = builder.concatenate(
      configuration.putsHiddenFirst ? [normal.stream, normal.embedding] : [normal.embedding, normal.stream],
      dimension: 1)
    var residual =
      switch configuration.kind {
      case .mtp: layers.linear(paired, tensors.fusion, &builder)
      case .eagle3, .dflash: configuration.normalisesResidual ? normal.stream : before
      }
    for (index, layer) in tensors.layers.enumerated() {
      builder.comment("\(prefix)layer \(index)")
      let input = index == 0 && configuration.kind != .mtp ? paired : nil
      layers.add(layer, index, reading: input, rows, places, to: &residual, &caches, &builder)
    }
    return residual
  }

  /// Logits of the residual stream by the target's tokens, `[rows, target's vocabulary]`: minus infinity for those that
  /// the head does not have.
  func logits(_ residual: Value, _ builder: inout ProgramBuilder) -> Value {
    let tensors = program.parameters.tensors
    let normal = layers.norm(residual, tensors.finalNorm, &builder)
    let matrix = layers.weights[tensors.output.name.huggingFace] ?? shared(program.target.parameters.output)
    let own = layers.linear(normal, by: matrix, &builder)
    guard let columns = layers.weights[HeadParameters.columns] else { return own }
    let none = builder.splat(-Float.infinity, TensorType([1, own.shape[0]], .float32))
    let table = builder.concatenate([builder.transpose(own, [1, 0]), none], dimension: 0)
    return builder.transpose(builder.gather(table, columns), [1, 0])
  }

  /// What a guess after a row goes on from, `[rows, hidden]`.
  func recycled(_ residual: Value, _ builder: inout ProgramBuilder) -> Value {
    guard program.configuration.recyclesNormalised else { return residual }
    return layers.norm(residual, program.parameters.tensors.finalNorm, &builder)
  }

  private func shared(_ place: Int) -> Value {
    guard let value = shared[place] else { preconditionFailure("the program takes no weight \(place) of the target") }
    return value
  }
}
