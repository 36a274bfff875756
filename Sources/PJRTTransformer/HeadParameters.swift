internal import ModelFiles
internal import StableHLO

/// The weights of a head as programs take them; what it shares with its target are the target's own buffers.
struct HeadParameters {
  /// Which weights a program takes: first the target's, then the head's.
  struct Places {
    /// Places among the target's parameters.
    var shared: [Int] = []
    /// Places among the head's.
    var own: [Int] = []
  }

  /// What the head is made of.
  let tensors: HeadTensors
  /// Its own, in the order of the buffers.
  let all: [DecoderParameters.Parameter]
  /// What joins the target's streams.
  let joining: Places
  /// Everything from tokens and streams to the residual stream.
  let body: Places
  /// The last norm and what gives logits.
  let output: Places

  /// By token of the target: its column among the head's logits, and one past the last for tokens that the head lacks.
  static let columns = "columns"

  /// Places of all of its own.
  var own: [Int] { Array(all.indices) }

  /// What a head needs for sequences of up to `positions`.
  init(_ head: Head, on target: DecoderParameters, positions: Int) {
    typealias Parameter = DecoderParameters.Parameter
    let (configuration, tensors) = (head.configuration, HeadTensors(head.configuration))
    self.tensors = tensors
    let joins = configuration.kind != .mtp
    let fusion = (tensors.streamNorms + [tensors.fusion]).map { Parameter($0) }
    let embedding = head.hasEmbedding ? [Parameter(tensors.embedding)] : []
    let layers = (tensors.joinedNorms + tensors.layers.flatMap(\.all)).map { Parameter($0) }
    let last = ([tensors.finalNorm] + (head.hasOutput ? [tensors.output] : [])).map { Parameter($0) }
    let columns = head.targetTokens.map { tokens in
      var columns = [Int32](repeating: Int32(tokens.count), count: configuration.layers.vocabularySize)
      for (column, token) in tokens.enumerated() { columns[Int(token)] = Int32(column) }
      return Parameter(Self.columns, [columns.count], .integers(columns))
    }
    let angles = DecoderParameters.angles(configuration.layers, positions: positions)
    let parts = [fusion, embedding + angles + layers, last + [columns].compactMap(\.self)]
    all = parts.flatMap(\.self)
    let first = Array(0..<parts[0].count)
    let second = first.count..<first.count + parts[1].count
    joining = Places(shared: joins ? [] : [target.finalNorm], own: joins ? first : [])
    // An MTP layer joins an embedding and a stream where others join streams.
    body = Places(
      shared: head.hasEmbedding ? [] : [target.embedding], own: (joins ? [] : first) + Array(second))
    output = Places(shared: head.hasOutput ? [] : [target.output], own: Array(second.upperBound..<all.count))
  }
}
