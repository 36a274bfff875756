internal import Tensor
internal import Tokenization

/// The rows of a prompt that are pooled, as they are computed.
///
/// Sums go over positions one by one, in their order: they do not depend on how the prompt was cut into passes.
struct PooledRows {
  private let pooling: Pooling
  private var sum: [Double] = []
  /// Positions in the sum.
  private var count = 0
  private var last: [Float] = []

  init(_ pooling: Pooling) { self.pooling = pooling }

  /// Adds the last hidden states of rows.
  ///
  /// - Parameters:
  ///   - positions: prompt positions that were computed; after a preemption some of them again.
  ///   - hidden: row `firstRow + i` belongs to the `i`-th of `positions`.
  mutating func add(_ positions: Range<Int>, _ hidden: Activations, firstRow: Int) {
    for position in positions where pooling == .lastToken || position == count {
      let row = firstRow + position - positions.lowerBound
      guard pooling == .mean else {
        last = hidden.row(row)
        continue
      }
      if sum.isEmpty { sum = [Double](repeating: 0, count: hidden.columns) }
      hidden.withRow(row) { values in for index in values.indices { sum[index] += Double(values[index]) } }
      count += 1
    }
  }

  /// Takes the logits of the last row.
  mutating func add(logits: Activations, row: Int) {
    guard case .logits(let tokens) = pooling else { return }
    last = logits.withRow(row) { values in tokens.map { values[Int($0)] } }
  }

  /// The vector, once the last position was added.
  var vector: [Float] { pooling == .mean ? sum.map { Float($0 / Double(count)) } : last }
}
