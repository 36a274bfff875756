internal import Foundation
internal import ModelFiles
internal import Tensor

/// What makes the proposals of a DSpark head depend on one another.
///
/// The pass gives logits of all proposals at once; the token before a proposal, when it is chosen, adds to them, and with it
/// the head says how likely the proposal is to be accepted, if those before it are.
///
/// Source: DeepSpec's `modeling/dspark`; `speculators` 0.9.
final class ProposalCorrection {
  private let weights: CorrectionWeights
  private let epsilon: Float
  /// What logits were last made of, normalised, `[rows, hidden]`.
  private let hidden: Activations
  /// Of the tokens before proposals, `[rows, rank]`, and what they add, `[rows, head's vocabulary]`.
  private let markov: (embedded: Activations, addends: Activations)?

  /// - Parameter rows: most proposals of a pass.
  init(_ weights: CorrectionWeights, of configuration: HeadConfiguration, rows: Int) throws {
    (self.weights, epsilon) = (weights, configuration.layers.rmsNormEpsilon)
    hidden = try Activations(rowCapacity: rows, columns: configuration.layers.hiddenSize)
    let rank = configuration.block?.correction?.rank ?? 0
    markov =
      rank == 0
      ? nil
      : (
        try Activations(rowCapacity: rows, columns: rank),
        try Activations(rowCapacity: rows, columns: configuration.vocabularySize)
      )
  }

  /// Begins with the first rows of `residual`, which logits are made of.
  func begin(_ residual: Activations, rowCount: Int, with operations: TensorOperations) {
    guard weights.confidence != nil else { return }
    operations.rmsNorm(residual, rowCount: rowCount, weight: weights.norm, epsilon: epsilon, into: hidden)
  }

  /// Corrects the logits of proposals, each by the token before it.
  ///
  /// - Returns: how likely each is to be accepted, where the head says so.
  /// - Throws: `RunnerError` when the file of the tokens' vectors was changed meanwhile.
  func correct(
    _ proposals: [UncorrectedProposal], in output: HeadOutput, with operations: TensorOperations
  ) throws(RunnerError) -> [Double?] {
    if let markov, let own = weights.markov {
      do {
        try own.embedding.gather(proposals.map(\.previous), with: operations, into: markov.embedded)
      } catch {
        throw RunnerError(description: "\(error)")
      }
      operations.linear(markov.embedded, rowCount: proposals.count, weight: own.output, into: markov.addends)
      output.add(markov.addends, to: proposals.map(\.row))
    }
    return proposals.indices.map { confidence(of: proposals[$0].row, embedded: $0) }
  }

  /// sigmoid(weight · [hidden; embedded] + bias)
  private func confidence(of row: Int, embedded index: Int) -> Double? {
    guard let (weight, bias) = weights.confidence else { return nil }
    func sum(_ inputs: Activations, _ row: Int, from first: Int) -> Double {
      inputs.withRow(row) { values in
        values.indices.reduce(0) { $0 + Double(weight[first + $1]) * Double(values[$1]) }
      }
    }
    var logit = Double(bias) + sum(hidden, row, from: 0)
    if let markov, weight.count > hidden.columns { logit += sum(markov.embedded, index, from: hidden.columns) }
    return 1 / (1 + exp(-logit))
  }
}

/// A proposal whose logits do not know yet what comes before it.
public struct UncorrectedProposal: Sendable, Equatable {
  /// Row of the logits that the last pass gave.
  public let row: Int
  /// The token before it: known, or the one that was chosen for the proposal before it.
  public let previous: Int32

  /// A proposal.
  public init(row: Int, previous: Int32) { (self.row, self.previous) = (row, previous) }
}
