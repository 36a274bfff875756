/// The tensors of a head, in the order in which a pass reads them.
package struct HeadTensors: Sendable {
  /// `[streams · target hidden]` for all, or `[target hidden]` for each; none where streams are taken as they are.
  package let streamNorms: [DecoderTensor]
  /// `[hidden, streams · target hidden]`; `[hidden, 2 · hidden]` where it joins embeddings and hidden states.
  package let fusion: DecoderTensor
  /// `[hidden]`; of embeddings and of hidden states, where these two are joined.
  package let joinedNorms: [DecoderTensor]
  /// `[hidden]`; of heads whose keys and values are made of what the streams are joined to.
  package let contextNorm: DecoderTensor?
  /// `[target vocabulary, hidden]`, where the head has its own.
  package let embedding: DecoderTensor
  package let layers: [DecoderLayer]
  /// `[hidden]`.
  package let finalNorm: DecoderTensor
  /// `[vocabulary, hidden]`, where the head has its own.
  package let output: DecoderTensor
  /// `[hidden]`, of heads that propose blocks, where masks are read as another vector than the mask token's.
  package let maskEmbedding: DecoderTensor?
  /// `[target vocabulary, rank]` and `[vocabulary, rank]`: of the token before a proposal, and what it adds to the logits.
  package let markov: (embedding: DecoderTensor, output: DecoderTensor)?
  /// `[1, hidden]` or `[1, hidden + rank]`, and `[1]`, where the head says how likely proposals are to be accepted.
  package let confidence: (weight: DecoderTensor, bias: DecoderTensor)?

  package init(_ head: HeadConfiguration) {
    let hidden = head.layers.hiddenSize
    let joined = head.kind == .mtp ? 2 * hidden : head.streamCount * head.targetHiddenSize
    joinedNorms =
      head.kind == .mtp
      ? [.joinedEmbeddingNorm, .joinedHiddenNorm].map { DecoderTensor(norm: $0, [hidden], of: head.layers) } : []
    streamNorms =
      switch head.streamNorm {
      case .none: []
      case .joined: [DecoderTensor(TensorName(.fusionNorm), [joined])]
      case .each:
        (0..<head.streamCount).map { DecoderTensor(TensorName(.streamNorm, layer: $0), [head.targetHiddenSize]) }
      }
    fusion = DecoderTensor(TensorName(.fusion), [hidden, joined])
    embedding = DecoderTensor(TensorName(.embedding), [head.layers.vocabularySize, hidden])
    let contextNorm = head.kind == .dflash ? DecoderTensor(TensorName(.contextNorm), [hidden]) : nil
    self.contextNorm = contextNorm
    layers = (0..<head.layers.layerCount).map { index in
      DecoderLayer(
        mixer: .attention(
          AttentionTensors(
            layer: index, of: head.layers, besideStream: head.kind == .eagle3 && index == 0, contextNorm: contextNorm)),
        feedForward: head.layers.architecture.variations.feedForward(index, of: head.layers))
    }
    finalNorm = DecoderTensor(norm: .finalNorm, [hidden], of: head.layers)
    output = DecoderTensor(TensorName(.output), [head.vocabularySize, hidden])
    maskEmbedding = head.block.map { _ in DecoderTensor(TensorName(.maskEmbedding), [hidden]) }
    let correction = head.block?.correction
    let rank = correction?.rank ?? 0
    markov =
      rank == 0
      ? nil
      : (
        DecoderTensor(TensorName(.markovEmbedding), [head.layers.vocabularySize, rank]),
        DecoderTensor(TensorName(.markovOutput), [head.vocabularySize, rank])
      )
    confidence = correction.map {
      (
        DecoderTensor(TensorName(.confidence), [1, hidden + ($0.confidenceReadsToken ? rank : 0)]),
        DecoderTensor(TensorName(.confidence, isBias: true), [1])
      )
    }
  }

  /// Those that every head has.
  package var required: [DecoderTensor] {
    streamNorms + joinedNorms + [fusion] + [contextNorm].compactMap(\.self) + layers.flatMap(\.all) + [finalNorm]
      + (markov.map { [$0.embedding, $0.output] } ?? [])
  }
  /// Those that are the target's where they are absent, or that nothing is done without.
  package var optional: [DecoderTensor] {
    [embedding, output] + [maskEmbedding].compactMap(\.self) + (confidence.map { [$0.weight, $0.bias] } ?? [])
  }
}
