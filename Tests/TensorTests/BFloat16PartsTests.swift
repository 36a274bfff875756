import Tensor
import TestSupport
import Testing

/// Matrices of single precision as sums of such as products read.
@Suite struct BFloat16PartsTests {
  private static let (rows, columns) = (5, 33)

  private static func matrix(_ value: @Sendable @escaping (Int, Int) -> Float) throws -> TensorView {
    try TensorView(
      name: "router", elementType: .float32, shape: [rows, columns], madeOf: "test", rows: Array(0..<rows)
    ) { row, values in for column in values.indices { values[column] = value(row, column) } }
  }

  /// Any sign, any exponent of a weight's, any last bits.
  private static func number(_ row: Int, _ column: Int) -> Float {
    var generator = SeededGenerator(seed: UInt64(row * columns + column + 1))
    let exponent = UInt32.random(in: 27...137, using: &generator)
    return Float(
      bitPattern: UInt32.random(in: 0...1, using: &generator) << 31 | exponent << 23
        | .random(in: 0..<1 << 23, using: &generator))
  }

  @Test("three parts have every bit, and are added to the same number in any order") func exact() throws {
    let matrix = try Self.matrix(Self.number)
    let parts = try matrix.bfloat16Parts()
    #expect(parts.count == 3 && parts.allSatisfy { $0.elementType == .bfloat16 && $0.shape == matrix.shape })
    let values = parts.map { $0.floats() }
    for (index, wanted) in matrix.floats().enumerated() {
      #expect(values[0][index] + (values[1][index] + values[2][index]) == wanted)
      #expect((values[0][index] + values[1][index]) + values[2][index] == wanted)
      #expect(values[0][index].bitPattern == UInt32(wanted.bfloat16Bits) << 16)
    }
  }

  @Test("what bf16 holds is left as it is, whatever the file calls it") func held() throws {
    let matrix = try Self.matrix { Float(bitPattern: UInt32(Self.number($0, $1).bfloat16Bits) << 16) }
    let parts = try matrix.bfloat16Parts()
    #expect(parts.count == 1 && parts[0].elementType == .float32)
  }

  @Test("halves are two parts") func halves() throws {
    let parts = try Self.matrix { 1 + Float(($0 * 33 + $1) % 1024) / 1024 }.bfloat16Parts()
    #expect(parts.count == 2)
  }

  @Test("products with the parts, one after the other, are those in single precision") func products() throws {
    let matrix = try Self.matrix { 1 + Float(($0 * 33 + $1) * 7919 % 65_536) / 65_536 }
    let parts = try matrix.bfloat16Parts()
    for set in InstructionSet.available {
      let pool = WorkerPool(threadCount: 1)
      let operations = try TensorOperations(
        pool: pool, instructionSet: set, rowCapacity: 3, columnCapacity: Self.columns)
      let x = try randomRows(3, Self.columns, seed: 3)
      let scores = try Activations(rowCapacity: 3, columns: Self.rows)
      let packed = try parts.map { try PackedMatrix(stacking: [$0], format: .bfloat16, pool: pool) }
      operations.linear(x, rowCount: 3, weight: packed[0], into: scores)
      for rest in packed.dropFirst() { operations.linearAdding(x, rowCount: 3, weight: rest, to: scores) }
      let weights = matrix.floats()
      for row in 0..<3 {
        for output in 0..<Self.rows {
          let exact = (0..<Self.columns).reduce(0.0) {
            $0 + Double(weights[output * Self.columns + $1]) * Double(x.row(row)[$1])
          }
          // Rounding to bf16 alone is off by a thousandth.
          #expect(abs(Double(scores.row(row)[output]) - exact) < 1e-5, "\(set)")
        }
      }
    }
  }
}
