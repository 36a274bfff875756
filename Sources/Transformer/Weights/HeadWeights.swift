internal import ModelFiles
internal import Tensor

/// The weights of a head in the layouts that the CPU kernels read.
struct HeadWeights {
  /// The target's where the head has none.
  let embedding: EmbeddingTable
  let fusion: FusionWeights
  let layers: [DecoderLayerWeights]
  /// The norms of embeddings and of streams, `[hidden]`, as the matrix reads them that has both as its inputs: the first
  /// layer's, or what joins them; none of streams in heads that do not pair the two.
  let embeddingNorm, streamNorm: [Float]
  /// The target's last norm, `[hidden]`, of heads whose streams are what comes after it.
  let targetNorm: [Float]?
  /// The same norm of streams as the residual stream has it; `nil` where that takes streams as they are.
  let residualNorm: [Float]?
  let output: OutputWeights
  /// The last norm as outputs that are recycled have it; `nil` where they are recycled as they are.
  let recyclingNorm: [Float]?
  /// What masks are read as, `[hidden]`; `nil` where they are read as their token.
  let maskEmbedding: [Float]?
  /// What corrects proposals by the tokens before them; `nil` where nothing does.
  let correction: CorrectionWeights?
  /// The weights' name in the cache they were loaded through.
  private(set) var cacheKey: String?

  /// Memory of the packed matrices.
  var packedByteCount: Int {
    (layers.flatMap(\.matrices) + [correction?.markov?.output].compactMap(\.self))
      .reduce(fusion.matrix.byteCount + output.matrix.byteCount) { $0 + $1.byteCount }
  }

  /// Packs a head's weights, or takes them from `cache`.
  ///
  /// - Parameter target: what the head shares is in the checkpoint.
  init(
    _ head: Head, target: (configuration: ModelConfiguration, checkpoint: Checkpoint), quantization: Quantization,
    pool: WorkerPool, cache: WeightCache?, progress: (Double) -> Void
  ) throws {
    // A file of packed weights is named by the files of one checkpoint.
    (self, cacheKey) = try WeightPacking.packed(
      head.checkpoint, described: "\(head.configuration)", quantization: quantization, pool: pool,
      cache: head.hasOutput ? cache : nil
    ) { try HeadWeights(head, target: target, $0, progress: progress) }
  }

  private init(
    _ head: Head, target: (configuration: ModelConfiguration, checkpoint: Checkpoint), _ packing: WeightPacking,
    progress: (Double) -> Void
  ) throws {
    let (configuration, tensors) = (head.configuration, HeadTensors(head.configuration))
    embedding = .checkpoint(
      try (head.hasEmbedding ? packing.checkpoint : target.checkpoint).rowReader(of: tensors.embedding))
    fusion = try FusionWeights(tensors, packing)
    layers = try tensors.layers.map { try DecoderLayerWeights($0, packing) }
    progress(0.5)
    let hidden = configuration.layers.hiddenSize
    let norms =
      tensors.joinedNorms.isEmpty
      ? layers.first?.mixer.norm ?? [] : try tensors.joinedNorms.flatMap { try packing.floats($0) }
    targetNorm =
      configuration.kind == .mtp
      ? try target.checkpoint.floats(DecoderTensors(target.configuration).finalNorm) : nil
    (embeddingNorm, streamNorm) = (Array(norms.prefix(hidden)), Array(norms.dropFirst(hidden)))
    residualNorm =
      configuration.normalisesResidual ? try packing.floats(ifPresent: tensors.layers.first?.mixer.streamNorm) : nil
    output =
      head.hasOutput
      ? try OutputWeights(norm: tensors.finalNorm, matrix: tensors.output, packing)
      : try OutputWeights(
        norm: tensors.finalNorm, matrix: DecoderTensors(target.configuration).head, packing, of: target.checkpoint)
    recyclingNorm = configuration.recyclesNormalised ? try packing.floats(tensors.finalNorm) : nil
    maskEmbedding = head.hasMaskEmbedding ? try packing.floats(ifPresent: tensors.maskEmbedding) : nil
    correction = configuration.block?.correction == nil ? nil : try CorrectionWeights(head, tensors, packing)
    progress(1)
  }

  /// Random weights of an EAGLE-3 or a DFlash head, made in the packed layout; norms are ones.
  init(randomFor configuration: HeadConfiguration, quantization: Quantization, pool: WorkerPool) throws {
    let (tensors, arena) = (HeadTensors(configuration), MemoryArena())
    func random(_ seed: UInt64) -> RandomWeights {
      RandomWeights(quantization: quantization, pool: pool, arena: arena, seed: seed << 32)
    }
    func matrix(_ tensor: DecoderTensor, seed: UInt64) throws -> PackedMatrix {
      try PackedMatrix(
        randomRows: tensor.shape[0], columns: tensor.shape[1],
        format: quantization.format(of: .bfloat16, isHead: true), seed: seed, pool: pool, arena: arena)
    }
    let hidden = configuration.layers.hiddenSize
    embedding = try .random(columns: hidden)
    fusion = FusionWeights(norms: [], matrix: try matrix(tensors.fusion, seed: 8))
    layers = try tensors.layers.enumerated().map {
      try DecoderLayerWeights($1, random: random(UInt64(1 << 16 + $0)))
    }
    let norms = layers.first?.mixer.norm ?? []
    (embeddingNorm, streamNorm) = (Array(norms.prefix(hidden)), Array(norms.dropFirst(hidden)))
    (targetNorm, residualNorm, recyclingNorm, maskEmbedding, correction) = (nil, nil, nil, nil, nil)
    output = OutputWeights(
      norm: [Float](repeating: 1, count: hidden), matrix: try matrix(tensors.output, seed: 9))
  }
}

/// What joins a target's streams, or an embedding and a stream, to one vector for each position.
struct FusionWeights {
  /// `[streams · target hidden]`, `[target hidden]` for each, or none.
  let norms: [[Float]]
  /// `[hidden, streams · target hidden]`.
  let matrix: PackedMatrix

  init(norms: [[Float]], matrix: PackedMatrix) { (self.norms, self.matrix) = (norms, matrix) }

  init(_ tensors: HeadTensors, _ packing: WeightPacking) throws {
    norms = try tensors.streamNorms.map { try packing.floats($0) }
    // Streams have channels far above the others: what joins them is as precise as what gives logits.
    let joining = try packing.view(tensors.fusion)
    matrix = try packing.packer.stack(
      [joining], format: packing.quantization.format(of: joining.elementType, isHead: true))
  }
}

/// What corrects the proposals of a DSpark head.
struct CorrectionWeights {
  /// Vectors of the tokens before proposals, `[target's vocabulary, rank]`, and what makes addends to logits of them,
  /// `[vocabulary, rank]`; `nil` where the head has none.
  let markov: (embedding: EmbeddingTable, output: PackedMatrix)?
  /// What says how likely proposals are to be accepted: of a row, or of a row and a token's vector; `nil` where nothing does.
  let confidence: (weight: [Float], bias: Float)?
  /// The last norm as the model has it, `[hidden]`.
  let norm: [Float]

  init(_ head: Head, _ tensors: HeadTensors, _ packing: WeightPacking) throws {
    markov = try tensors.markov.map {
      let output = try packing.view($0.output)
      return (
        .checkpoint(try packing.checkpoint.rowReader(of: $0.embedding)),
        try packing.packer.stack(
          [output], format: packing.quantization.format(of: output.elementType, isHead: true))
      )
    }
    confidence =
      head.hasConfidence
      ? try tensors.confidence.map {
        (try packing.floats($0.weight), head.has($0.bias) ? try packing.floats($0.bias)[0] : 0)
      } : nil
    norm = try packing.floats(tensors.finalNorm)
  }
}
