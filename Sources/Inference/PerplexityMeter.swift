internal import Decoding
internal import Foundation
internal import ModelFiles
internal import PJRTTransformer
internal import Tensor
package import Tokenization
internal import Transformer

/// Measures how well a model predicts a text, and how far its predictions are from another's.
package struct PerplexityMeter {
  /// What was measured.
  package struct Result: Sendable, Equatable {
    /// e to the mean negative log-probability per predicted token.
    package let perplexity: Double
    /// Number of predicted tokens.
    package let tokens: Int
    /// Memory of the weights.
    package let packedBytes: Int
    /// What the weights are in memory.
    package let quantization: String
    /// How far its predictions are from those of the reference; `nil` without one.
    package let divergence: Divergence?
  }

  /// How far predictions of the same tokens are apart.
  package struct Divergence: Sendable, Equatable {
    /// Kullback-Leibler divergence from the reference's distribution, in nats: mean, 99th percentile and largest.
    package let mean, percentile99, largest: Double
    /// Share of the tokens for which both find the same token the most likely, 0 to 1.
    package let topAgreement: Double

    /// The figures of each token's divergence and agreement.
    init(_ divergences: [Double], agreeing: Int) {
      let sorted = divergences.sorted()
      mean = sorted.reduce(0, +) / Double(max(sorted.count, 1))
      percentile99 = sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
      largest = sorted.last ?? 0
      topAgreement = Double(agreeing) / Double(max(sorted.count, 1))
    }
  }

  private let runner: any ModelRunner
  private let quantization: String
  private let window: Int
  private let firstScored: Int
  private let blocks: [Int32]
  private static let rowsPerPass = 64

  /// A meter of the model that `configuration` names, loaded as it says.
  ///
  /// - Parameters:
  ///   - window: tokens that are read in one piece; the first of each is not predicted.
  ///   - firstScored: the position in a window whose prediction is the first that counts.
  package init(
    _ model: ModelSource, _ configuration: EngineConfiguration, window: Int, firstScored: Int = 0
  ) throws {
    var configuration = configuration
    configuration.maximumLength = window
    try configuration.validate()
    let positions = try configuration.positions(modelLimit: model.configuration.maximumPosition)
    let backend = try configuration.openBackend()
    quantization = backend.formatName
    runner = try Self.load(
      model, RunnerLimits(rows: Self.rowsPerPass, logitRows: Self.rowsPerPass, positions: positions), on: backend)
    blocks = (0..<Int32(runner.capacity.blockCount)).map { $0 }
    (self.window, self.firstScored) = (window, firstScored)
  }

  /// The perplexity on `tokens`, and the divergence from `reference`, a meter of the same windows.
  package func measure(
    _ tokens: [TokenID], against reference: PerplexityMeter? = nil, progress: (Double) -> Void
  ) throws -> Result {
    precondition(reference.map { $0.window == window && $0.firstScored == firstScored } ?? true)
    var (total, count, agreeing) = (0.0, 0, 0)
    var divergences: [Double] = []
    for start in stride(from: 0, to: tokens.count - 1, by: window) {
      let piece = tokens[start..<min(start + window, tokens.count)]
      for first in stride(from: 0, to: piece.count - 1, by: Self.rowsPerPass) {
        let rows = piece.dropFirst(first).prefix(Self.rowsPerPass)
        let logits = try forward(rows, at: first)
        let expected = try reference?.forward(rows, at: first)
        for row in 0..<rows.count where first + row >= firstScored && rows.startIndex + row + 1 < piece.endIndex {
          total -= TokenLogprobs(logits, row: row, token: piece[rows.startIndex + row + 1], count: 0).chosen
          count += 1
          guard let expected else { continue }
          divergences.append(Self.divergence(of: logits, from: expected, row: row))
          if logits.argmax(row: row) == expected.argmax(row: row) { agreeing += 1 }
        }
        progress(Double(start + first + rows.count) / Double(tokens.count))
      }
    }
    return Result(
      perplexity: exp(total / Double(max(count, 1))), tokens: count, packedBytes: runner.memory.packedWeights,
      quantization: quantization, divergence: reference.map { _ in Divergence(divergences, agreeing: agreeing) })
  }

  private static func load(
    _ model: ModelSource, _ limits: RunnerLimits, on backend: some Backend
  ) throws -> any ModelRunner {
    try backend.load(model, limits: limits) { _ in }
  }

  private func forward(_ rows: ArraySlice<TokenID>, at position: Int) throws -> Activations {
    var batch = Batch()
    // A text is read in one piece after the other: states go from slot to slot.
    let slot = Int32(position / Self.rowsPerPass % 2)
    let states =
      runner.capacity.stateSlots > 0
      ? StatePlan(
        start: position > 0 ? slot : nil, kept: [StatePlan.Kept(row: rows.count - 1, slot: 1 - slot)]) : nil
    batch.append(rows, at: position, blocks: blocks, logitCount: rows.count, states: states)
    return try runner.logits(of: batch)
  }

  /// The Kullback-Leibler divergence of one row's distribution from the expected one, in nats.
  private static func divergence(of logits: Activations, from expected: Activations, row: Int) -> Double {
    let (peak, expectedPeak) = (logits.argmax(row: row), expected.argmax(row: row))
    return logits.withRow(row) { values in
      expected.withRow(row) { truth in
        let (highest, highestTruth) = (values[peak], truth[expectedPeak])
        // Sum over tokens of p (log p - log q), with both sums of exponentials taken on the way.
        var (sum, truthSum, weighted) = (0.0, 0.0, 0.0)
        for index in values.indices {
          let (distance, truthDistance) = (values[index] - highest, truth[index] - highestTruth)
          let share = Double(exp(truthDistance))
          sum += Double(exp(distance))
          truthSum += share
          weighted += share * Double(truthDistance - distance)
        }
        return max(0, weighted / truthSum - log(truthSum) + log(sum))
      }
    }
  }
}
