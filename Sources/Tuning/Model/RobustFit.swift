/// Least absolute deviations: a linear fit that single disturbed measurements do not move.
///
/// Solved by iteratively reweighted least squares (Schlossmacher 1973). Deviations are relative to the measured value,
/// so that short and long ones count alike.
package struct RobustFit: Sendable, Equatable {
  /// One for every feature.
  package let coefficients: [Double]

  /// Fits `targets`, all positive, by weighted sums of `features`.
  ///
  /// - Parameters:
  ///   - features: rows of equal length.
  ///   - nonnegative: features whose coefficient cannot be negative; one that comes out so is left out.
  package init(features: [[Double]], targets: [Double], nonnegative: Set<Int> = []) {
    let width = features.first?.count ?? 0
    var active = Array(0..<width)
    var found: [Double] = []
    while true {
      found = Self.solve(features.map { row in active.map { row[$0] } }, targets)
      guard
        let worst = active.indices.filter({ nonnegative.contains(active[$0]) && found[$0] < 0 }).min(by: {
          found[$0] < found[$1]
        })
      else { break }
      active.remove(at: worst)
    }
    var coefficients = Array(repeating: 0.0, count: width)
    for (place, index) in active.enumerated() { coefficients[index] = found[place] }
    self.coefficients = coefficients
  }

  /// The fitted value.
  package func value(_ features: [Double]) -> Double { zip(coefficients, features).reduce(0) { $0 + $1.0 * $1.1 } }

  private static func solve(_ features: [[Double]], _ targets: [Double]) -> [Double] {
    guard let width = features.first?.count, width > 0 else { return [] }
    var weights = targets.map { 1 / ($0 * $0) }
    var coefficients = Array(repeating: 0.0, count: width)
    for _ in 0..<30 {
      coefficients = leastSquares(features, targets, weights)
      for index in targets.indices {
        let fitted = zip(coefficients, features[index]).reduce(0) { $0 + $1.0 * $1.1 }
        let deviation = abs(fitted - targets[index]) / targets[index]
        weights[index] = 1 / (targets[index] * targets[index] * max(deviation, 1e-3))
      }
    }
    return coefficients
  }

  /// Normal equations with a trace of ridge, by Gauss-Jordan elimination with pivoting.
  private static func leastSquares(_ features: [[Double]], _ targets: [Double], _ weights: [Double]) -> [Double] {
    let width = features[0].count
    var matrix = Array(repeating: Array(repeating: 0.0, count: width + 1), count: width)
    for (row, (target, weight)) in zip(features, zip(targets, weights)) {
      for i in 0..<width where row[i] != 0 {
        for j in 0..<width { matrix[i][j] += weight * row[i] * row[j] }
        matrix[i][width] += weight * row[i] * target
      }
    }
    for i in 0..<width { matrix[i][i] = matrix[i][i] * (1 + 1e-9) + Double.leastNormalMagnitude }
    for column in 0..<width {
      guard let pivot = (column..<width).max(by: { abs(matrix[$0][column]) < abs(matrix[$1][column]) }) else { break }
      matrix.swapAt(column, pivot)
      let lead = matrix[column][column]
      guard abs(lead) > 1e-200 else { continue }
      for j in column...width { matrix[column][j] /= lead }
      for i in 0..<width where i != column && matrix[i][column] != 0 {
        let factor = matrix[i][column]
        for j in column...width { matrix[i][j] -= factor * matrix[column][j] }
      }
    }
    return matrix.map { $0[width] }
  }
}
