internal import ModelFiles
internal import Tensor

/// Joins a target's streams to one vector for each position: what heads are made to read.
final class StreamFusion {
  private let configuration: HeadConfiguration
  private let weights: FusionWeights
  /// `[rows, streams · target hidden]`.
  private let joined: Activations
  /// `[rows, target hidden]`.
  private let tapped: Activations
  /// `[rows, hidden]`.
  private let fused: Activations

  /// - Parameter rows: most rows to join at a time.
  init(_ configuration: HeadConfiguration, _ weights: FusionWeights, rows: Int) throws {
    (self.configuration, self.weights) = (configuration, weights)
    joined = try Activations(rowCapacity: rows, columns: Self.width(of: configuration))
    tapped = try Activations(rowCapacity: rows, columns: configuration.targetHiddenSize)
    fused = try Activations(rowCapacity: rows, columns: configuration.layers.hiddenSize)
  }

  /// Columns of the streams side by side.
  static func width(of configuration: HeadConfiguration) -> Int {
    configuration.streamCount * configuration.targetHiddenSize
  }

  /// The joined streams of `rows`, `[rows, hidden]`, until the next call.
  func join(_ streams: [Activations], _ rows: [Int], with operations: TensorOperations) -> Activations {
    for (index, stream) in streams.enumerated() { place(stream, rows, as: index, operations) }
    if configuration.streamNorm == .joined {
      operations.rmsNorm(joined, rowCount: rows.count, weight: weights.norms[0], epsilon: epsilon, into: joined)
    }
    operations.linear(joined, rowCount: rows.count, weight: weights.matrix, into: fused)
    return fused
  }

  private var epsilon: Float { configuration.layers.rmsNormEpsilon }

  /// Puts rows of a stream beside those of the others, normalised by itself where the head has such norms.
  private func place(_ stream: Activations, _ rows: [Int], as index: Int, _ operations: TensorOperations) {
    let column = index * configuration.targetHiddenSize
    guard configuration.streamNorm == .each else {
      operations.copyRows(rows, of: stream, into: joined, firstColumn: column)
      return
    }
    operations.copyRows(rows, of: stream, into: tapped)
    operations.rmsNorm(
      tapped, rowCount: rows.count, weight: weights.norms[index], epsilon: epsilon, into: joined, firstColumn: column)
  }
}

/// Makes logits by the target's tokens of a head's residual stream.
final class HeadOutput {
  /// Number of the target's logits: those of tokens that the head does not have are minus infinity.
  let vocabularySize: Int
  /// The rows that logits were last made of, `[logitRows, hidden]`.
  let selected: Activations

  private let weights: OutputWeights
  private let targetTokens: [Int32]?
  private let epsilon: Float
  /// `[logitRows, hidden]`.
  private let normalised: Activations
  /// `[logitRows, head's vocabulary]`, and the same by the target's tokens.
  private let ownLogits, logits: Activations

  /// - Parameters:
  ///   - targetTokens: the target's token of each of the head's, where it has its own.
  ///   - rows: most rows that logits are wanted of.
  init(
    _ configuration: HeadConfiguration, targetTokens: [Int32]?, _ weights: OutputWeights, vocabularySize: Int, rows: Int
  ) throws {
    (self.weights, self.vocabularySize, self.targetTokens) = (weights, vocabularySize, targetTokens)
    let layers = configuration.layers
    epsilon = layers.rmsNormEpsilon
    selected = try Activations(rowCapacity: rows, columns: layers.hiddenSize)
    normalised = try Activations(rowCapacity: rows, columns: layers.hiddenSize)
    logits = try Activations(rowCapacity: rows, columns: vocabularySize)
    if targetTokens == nil {
      ownLogits = logits
    } else {
      ownLogits = try Activations(rowCapacity: rows, columns: configuration.vocabularySize)
      let none = [Float](repeating: -.infinity, count: vocabularySize)
      for row in 0..<rows { logits.setRow(row, to: none) }
    }
  }

  /// The logits of `rows` of a residual stream, `[rows, target's vocabulary]`, until the next call.
  func logits(of rows: [Int], in residual: Activations, with operations: TensorOperations) -> Activations {
    operations.copyRows(rows, of: residual, into: selected)
    operations.rmsNorm(selected, rowCount: rows.count, weight: weights.norm, epsilon: epsilon, into: normalised)
    operations.linear(normalised, rowCount: rows.count, weight: weights.matrix, into: ownLogits)
    if let targetTokens {
      operations.scatterColumns(ownLogits, rowCount: rows.count, into: logits, columns: targetTokens)
    }
    return logits
  }

  /// Adds row `i` of `addends`, by the head's own tokens, to the logits of `rows[i]`.
  func add(_ addends: Activations, to rows: [Int]) {
    for (index, row) in rows.enumerated() {
      var sums = logits.row(row)
      addends.withRow(index) { addends in
        if let targetTokens {
          for (own, token) in targetTokens.enumerated() { sums[Int(token)] += addends[own] }
        } else {
          for column in sums.indices { sums[column] += addends[column] }
        }
      }
      logits.setRow(row, to: sums)
    }
  }
}
