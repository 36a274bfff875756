internal import Decoding
internal import Foundation
internal import ModelFiles
internal import PJRTTransformer
internal import Tensor
public import Tokenization
internal import Transformer

/// Measures how well a model predicts a text.
public struct PerplexityMeter {
  /// What was measured.
  public struct Result: Sendable, Equatable {
    /// e to the mean negative log-probability per predicted token.
    public let perplexity: Double
    /// Number of predicted tokens.
    public let tokens: Int
    /// Memory of the weights.
    public let packedBytes: Int
    /// Their format.
    public let format: String
  }

  private let runner: any ModelRunner
  private let format: String
  private let window: Int
  private let blocks: [Int32]
  private static let rowsPerPass = 64

  /// A meter of the model that `configuration` names, loaded as it says.
  ///
  /// - Parameter window: tokens that are read in one piece; the first of each is not predicted.
  public init(_ model: ModelDirectory, _ configuration: EngineConfiguration, window: Int) throws {
    var configuration = configuration
    configuration.maximumLength = window
    try configuration.validate()
    let positions = try configuration.positions(modelLimit: model.configuration.maximumPosition)
    let session = try configuration.session()
    format = session?.element.rawValue ?? (configuration.format ?? model.checkpoint.nearestFormat).rawValue
    runner = try model.loadRunner(
      configuration, limits: RunnerLimits(rows: Self.rowsPerPass, logitRows: Self.rowsPerPass, positions: positions),
      pool: WorkerPool(threadCount: configuration.threads), session: session, progress: { _ in })
    blocks = (0..<Int32(runner.capacity.blockCount)).map { $0 }
    self.window = window
  }

  /// The perplexity on `tokens`.
  public func measure(_ tokens: [TokenID], progress: (Double) -> Void) throws -> Result {
    var (total, count) = (0.0, 0)
    for start in stride(from: 0, to: tokens.count - 1, by: window) {
      let piece = tokens[start..<min(start + window, tokens.count)]
      for first in stride(from: 0, to: piece.count - 1, by: Self.rowsPerPass) {
        let rows = piece.dropFirst(first).prefix(Self.rowsPerPass)
        var batch = Batch()
        batch.append(rows, at: first, blocks: blocks, logitCount: rows.count)
        let logits = try runner.forward(batch)
        for row in 0..<rows.count where rows.startIndex + row + 1 < piece.endIndex {
          total -= TokenLogprobs(logits, row: row, token: piece[rows.startIndex + row + 1], count: 0).chosen
          count += 1
        }
      }
      progress(Double(start + piece.count) / Double(tokens.count))
    }
    return Result(
      perplexity: exp(total / Double(max(count, 1))), tokens: count,
      packedBytes: runner.memory.packedWeights, format: format)
  }
}
