import Foundation
import Tensor
import TestSupport
import Testing

/// Products with the experts that rows choose.
@Suite struct ExpertProductTests {
  private static let (rows, experts, chosen, inner, hidden) = (11, 6, 2, 40, 72)

  @Test("each row has the bits of its experts' networks alone", arguments: WeightFormat.allCases)
  func rowsAlone(format: WeightFormat) throws {
    let (rows, hidden, inner) = (Self.rows, Self.hidden, Self.inner)
    for (threads, set) in [(1, InstructionSet.portable), (3, .best)] {
      let pool = WorkerPool(threadCount: threads)
      let operations = try TensorOperations(
        pool: pool, instructionSet: set, rowCapacity: rows * Self.chosen, columnCapacity: hidden)
      let tensors = try (0..<Self.experts).map { expert in
        try [[inner, hidden], [inner, hidden], [hidden, inner]].enumerated().map {
          try RandomTensor($1, type: .float32, seed: UInt64(10 * expert + $0))
        }
      }
      let gateUp = try tensors.map {
        try PackedMatrix(pairingGate: $0[0].view, up: $0[1].view, format: format, pool: pool)
      }
      let down = try tensors.map { try PackedMatrix(stacking: [$0[2].view], format: format, pool: pool) }
      let x = try randomRows(rows, hidden, seed: 3)
      let scores = try randomRows(rows, Self.experts, seed: 4)
      let given = (0..<rows).map { scores.row($0) }
      let routes = operations.chooseExperts(
        scores, rowCount: rows, chosenCount: Self.chosen, isShareOfAll: false)
      #expect(routes.groups.map(\.expert) == routes.groups.map(\.expert).sorted())
      let places = try Activations(rowCapacity: rows * Self.chosen, columns: inner)
      let outputs = try Activations(rowCapacity: rows * Self.chosen, columns: hidden)
      let residual = try randomRows(rows, hidden, seed: 5)
      let before = (0..<rows).map { residual.row($0) }
      operations.gatedLinear(x, routes, weights: gateUp, into: places)
      operations.linear(places, routes, weights: down, into: outputs)
      operations.addShares(outputs, routes, to: residual)

      let (one, gated, single) = (
        try Activations(rowCapacity: 1, columns: hidden), try Activations(rowCapacity: 1, columns: inner),
        try Activations(rowCapacity: 1, columns: hidden)
      )
      for row in 0..<rows {
        let ranked = (0..<Self.experts).sorted { given[row][$0] > given[row][$1] }.prefix(Self.chosen)
        let peak = given[row][ranked[0]]
        let powers = ranked.map { Double(given[row][$0] - peak).exponential }
        var sum = [Float](repeating: 0, count: hidden)
        for expert in ranked.sorted() {
          one.setRow(0, to: x.row(row))
          operations.gatedLinear(one, rowCount: 1, weight: gateUp[expert], into: gated)
          operations.linear(gated, rowCount: 1, weight: down[expert], into: single)
          let share = powers[ranked.firstIndex(of: expert) ?? 0] / powers.reduce(0, +)
          for (column, value) in single.row(0).enumerated() { sum[column] += Float(share) * value }
          let place = routes.groups.first { $0.expert == expert }?.places.first { routes.rows[$0] == row }
          #expect(outputs.row(try #require(place)) == single.row(0), "\(format), row \(row), expert \(expert)")
        }
        for column in 0..<hidden {
          let wanted = before[row][column] + sum[column]
          #expect(abs(residual.row(row)[column] - wanted) < 1e-5 * (1 + abs(wanted)))
        }
      }
    }
  }

  @Test("equal scores choose the experts of the lowest numbers")
  func ties() throws {
    let operations = try TensorOperations(pool: WorkerPool(threadCount: 1), rowCapacity: 8, columnCapacity: 16)
    let scores = try Activations(rowCapacity: 1, columns: 20)
    scores.setRow(0, to: (0..<20).map { $0 == 7 ? 2 : $0 % 5 == 3 ? 1 : 0 })
    let routes = operations.chooseExperts(scores, rowCount: 1, chosenCount: 4, isShareOfAll: true)
    #expect(routes.groups.map(\.expert) == [3, 7, 8, 13])
  }
}

extension Double {
  fileprivate var exponential: Double { Foundation.exp(self) }
}
