import Foundation
import Tensor
import TestSupport
import Testing

/// A matrix of floats, random unless they are given, in a file, as checkpoints have them.
struct RandomTensor {
  let view: TensorView
  let values: [Float]
  private let directory: TemporaryDirectory

  init(_ shape: [Int], type: ElementType = .bfloat16, seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    // Values that every format of checkpoints can hold.
    let values = (0..<shape.reduce(1, *)).map { _ in
      Float(bitPattern: (generator.normal() * 0.5).bitPattern & 0xFFFF_0000)
    }
    try self.init(shape, values: values, type: type)
  }

  init(_ shape: [Int], values: [Float], type: ElementType = .bfloat16) throws {
    var data = Data()
    for value in values {
      let bits: UInt32 =
        switch type {
        case .float32: value.bitPattern
        case .bfloat16: value.bitPattern >> 16
        default: UInt32(Float16(value).bitPattern)
        }
      for byte in 0..<type.blockByteCount { data.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * byte))) }
    }
    directory = try TemporaryDirectory()
    try directory.write(data, to: "tensor")
    let file = try MappedFile(path: directory.path + "/tensor")
    view = try #require(
      TensorView(name: "weight", elementType: type, shape: shape, byteRange: 0..<data.count, file: file))
    self.values = view.floats()
  }
}

func randomRows(_ rows: Int, _ columns: Int, seed: UInt64) throws -> Activations {
  var generator = SeededGenerator(seed: seed)
  let result = try Activations(rowCapacity: rows, columns: columns)
  for row in 0..<rows { result.setRow(row, to: (0..<columns).map { _ in generator.normal() }) }
  return result
}

/// Products of equal places, in double precision.
func products(_ first: ArraySlice<Float>, _ second: [Float]) -> [Double] {
  zip(first, second).map { Double($0) * Double($1) }
}

@Suite struct MatrixProductTests {
  static let shapes: [(outputs: Int, inputs: Int)] = [(16, 32), (7, 33), (161, 48), (96, 320), (33, 128), (48, 608)]

  func operations(_ set: InstructionSet? = nil, threads: Int = 1) throws -> TensorOperations {
    try TensorOperations(
      pool: WorkerPool(threadCount: threads), instructionSet: set, rowCapacity: 128, columnCapacity: 640)
  }

  /// Rounding in bf16's sums, then the grids of eight, six, five and four bits.
  static func tolerance(_ format: WeightFormat) -> Double {
    switch format {
    case .bfloat16: 1e-6
    case .int8: 0.02
    case .q6_K: 0.03
    case .q5_0, .q5_1, .q5_K: 0.06
    case .int4, .q4_0, .q4_1, .q3_K: 0.12
    case .iq4_NL, .mxfp4: 0.16
    }
  }

  @Test("products are those of the plain formula, within the format's precision", arguments: WeightFormat.allCases)
  func reference(format: WeightFormat) throws {
    for (index, shape) in Self.shapes.enumerated() {
      let tensor = try RandomTensor([shape.outputs, shape.inputs], seed: UInt64(index))
      let x = try randomRows(3, shape.inputs, seed: 50)
      let output = try Activations(rowCapacity: 3, columns: shape.outputs)
      let bias = (0..<shape.outputs).map { Float($0) / 10 }
      let matrix = try PackedMatrix(stacking: [tensor.view], format: format, pool: WorkerPool(threadCount: 2))
      try operations().linear(x, rowCount: 3, weight: matrix, bias: bias, into: output)
      // Relative to the length of the product's factors.
      let tolerance = Self.tolerance(format)
      for row in 0..<3 {
        let (input, found) = (x.row(row), output.row(row))
        for out in 0..<shape.outputs {
          let weights = tensor.values[out * shape.inputs..<(out + 1) * shape.inputs]
          let products = products(weights, input)
          let wanted: Double = products.reduce(Double(bias[out]), +)
          let size: Double = products.reduce(0) { $0 + $1 * $1 }.squareRoot() + 1e-3
          let allowed: Double = 3 * tolerance * size + 1e-6 * abs(wanted)
          #expect(abs(Double(found[out]) - wanted) <= allowed, "\(shape)")
        }
      }
    }
  }

  @Test(
    "a row's result is the same bits alone, in any batch, on any thread count and instruction set",
    arguments: WeightFormat.allCases)
  func rowInvariance(format: WeightFormat) throws {
    for (index, shape) in Self.shapes.enumerated() {
      let tensor = try RandomTensor([shape.outputs, shape.inputs], seed: UInt64(index))
      let matrix = try PackedMatrix(stacking: [tensor.view], format: format, pool: WorkerPool(threadCount: 1))
      let most = Self.rowCounts.max() ?? 1
      let x = try randomRows(most, shape.inputs, seed: 51)
      let alone = try Activations(rowCapacity: 1, columns: shape.inputs)
      let single = try Activations(rowCapacity: 1, columns: shape.outputs)
      let baseline = try operations(.portable)
      let expected = (0..<most).map { row in
        alone.setRow(0, to: x.row(row))
        baseline.linear(alone, rowCount: 1, weight: matrix, into: single)
        return single.row(0)
      }
      let output = try Activations(rowCapacity: most, columns: shape.outputs)
      for set in InstructionSet.available {
        for threads in 1...3 {
          let operations = try operations(set, threads: threads)
          for rows in Self.rowCounts {
            operations.linear(x, rowCount: rows, weight: matrix, into: output)
            for row in 0..<rows { #expect(output.row(row) == expected[row], "\(set) \(threads) \(rows)") }
          }
        }
      }
    }
  }

  @Test(
    "sums have room for the largest weights and inputs, and for every mix of their signs",
    arguments: WeightFormat.allCases)
  func extremes(format: WeightFormat) throws {
    // Rows of weights, and of inputs, whose signs change after 1, 2, 4, … columns, and one without a change.
    let periods = [1, 2, 4, 8, 16, 1000]
    let patterns: [[Float]] = periods.flatMap { period in
      [1, -1].map { (sign: Float) in (0..<64).map { $0 / period % 2 == 0 ? sign : -sign } }
    }
    let tensor = try RandomTensor([patterns.count, 64], values: Array(patterns.joined()))
    let matrix = try PackedMatrix(stacking: [tensor.view], format: format, pool: WorkerPool(threadCount: 1))
    let x = try Activations(rowCapacity: patterns.count, columns: 64)
    for (row, pattern) in patterns.enumerated() { x.setRow(row, to: pattern) }
    let output = try Activations(rowCapacity: patterns.count, columns: patterns.count)
    for set in InstructionSet.available {
      try operations(set).linear(x, rowCount: patterns.count, weight: matrix, into: output)
      for (row, input) in patterns.enumerated() {
        for (column, weight) in patterns.enumerated() {
          let exact = zip(input, weight).map(*).reduce(0, +)
          // Four bits without an offset have 15 steps of which one is zero: -8 or 8 is off by up to an eighth. Codes of
          // scales and offsets round them.
          let allowed: Float = format == .q4_0 ? 8 : format == .bfloat16 ? 1e-3 : format == .int8 ? 0.02 : 6
          #expect(abs(output.row(row)[column] - exact) <= allowed, "\(set) \(row) \(column)")
        }
      }
    }
  }

  @Test(
    "an input that is up to 100,000 times the others leaves them their part of the product",
    arguments: WeightFormat.allCases)
  func outliers(format: WeightFormat) throws {
    let (outputs, inputs) = (33, 128)
    let tensor = try RandomTensor([outputs, inputs], seed: 5)
    let matrix = try PackedMatrix(stacking: [tensor.view], format: format, pool: WorkerPool(threadCount: 2))
    let operations = try operations()
    let (probe, output) = (
      try Activations(rowCapacity: 1, columns: inputs), try Activations(rowCapacity: 1, columns: outputs)
    )
    // The weights as they are stored: 127 is not rounded.
    let stored = (0..<inputs).map { column in
      probe.setRow(0, to: (0..<inputs).map { $0 == column ? 127 : 0 })
      operations.linear(probe, rowCount: 1, weight: matrix, into: output)
      return output.row(0).map { Double($0) / 127 }
    }
    let plain = try randomRows(1, inputs, seed: 6).row(0)
    for exponent in 0...5 {
      let factor = Float(pow(10, Double(exponent)))
      var input = plain
      input[7] *= factor
      input[70] *= factor
      probe.setRow(0, to: input)
      operations.linear(probe, rowCount: 1, weight: matrix, into: output)
      for row in 0..<outputs {
        let terms = (0..<inputs).map { Double(input[$0]) * stored[$0][row] }
        let others = (0..<inputs).filter { $0 != 7 && $0 != 70 }.reduce(0) { $0 + terms[$1] * terms[$1] }.squareRoot()
        // One digit of eight bits for the others, two for the outliers and what shares a scale with them.
        let allowed = 0.06 * others + 2e-4 * (abs(terms[7]) + abs(terms[70])) + 4e-4 * Double(factor)
        #expect(abs(Double(output.row(0)[row]) - terms.reduce(0, +)) <= allowed, "\(exponent) \(row)")
      }
    }
    // Nothing at all, and next to nothing.
    for value in [Float(0), .leastNonzeroMagnitude, .leastNormalMagnitude] {
      probe.setRow(0, to: [Float](repeating: value, count: inputs))
      operations.linear(probe, rowCount: 1, weight: matrix, into: output)
      #expect(output.row(0).allSatisfy { abs($0) < 1e-30 })
    }
  }

  /// Every count of the kernels' tiles of few rows, and those around the borders where more tiles or another way of
  /// computing begin.
  static let rowCounts = Array(1...18) + [23, 24, 25, 36, 37, 97, 110]

  @Test("four bits lose no more than the plain grid would, group by group")
  func fourBitError() throws {
    let (outputs, inputs) = (20, 96)
    let tensor = try RandomTensor([outputs, inputs], seed: 77)
    let matrix = try PackedMatrix(stacking: [tensor.view], format: .int4, pool: WorkerPool(threadCount: 2))
    let operations = try operations()
    // A row that is 1 at one place and 0 elsewhere is quantised without loss, and so reads one column of weights.
    let probe = try Activations(rowCapacity: 1, columns: inputs)
    let output = try Activations(rowCapacity: 1, columns: outputs)
    var stored = [[Float]]()
    for column in 0..<inputs {
      probe.setRow(0, to: (0..<inputs).map { $0 == column ? 1 : 0 })
      operations.linear(probe, rowCount: 1, weight: matrix, into: output)
      stored.append(output.row(0))
    }
    for row in 0..<outputs {
      for group in stride(from: 0, to: inputs, by: 32) {
        let columns = group..<group + 32
        let peak = columns.map { abs(tensor.values[row * inputs + $0]) }.max() ?? 0
        let error = columns.reduce(Float(0)) { sum, column in
          let difference = stored[column][row] - tensor.values[row * inputs + column]
          return sum + difference * difference
        }
        let step = peak / 7
        #expect(error <= 32 * (step / 2) * (step / 2) * 1.05)
      }
    }
  }

  @Test("adding goes on top of what is there, and gating is silu(gate) times up", arguments: WeightFormat.allCases)
  func epilogues(format: WeightFormat) throws {
    let (pool, operations) = (WorkerPool(threadCount: 2), try operations(threads: 2))
    for set in InstructionSet.available {
      let other = try self.operations(set, threads: 2)
      for (outputs, inputs) in [(40, 48), (16, 32), (7, 64)] {
        let (gate, up) = (try RandomTensor([outputs, inputs], seed: 1), try RandomTensor([outputs, inputs], seed: 2))
        let x = try randomRows(9, inputs, seed: 3)
        func product(_ tensor: RandomTensor) throws -> Activations {
          let result = try Activations(rowCapacity: 9, columns: outputs)
          operations.linear(
            x, rowCount: 9, weight: try PackedMatrix(stacking: [tensor.view], format: format, pool: pool), into: result)
          return result
        }
        let (gates, ups) = (try product(gate), try product(up))
        let pair = try PackedMatrix(pairingGate: gate.view, up: up.view, format: format, pool: pool)
        let gated = try Activations(rowCapacity: 9, columns: outputs)
        other.gatedLinear(x, rowCount: 9, weight: pair, into: gated)
        let added = try randomRows(9, outputs, seed: 4)
        let before = (0..<9).map { added.row($0) }
        other.linearAdding(
          x, rowCount: 9, weight: try PackedMatrix(stacking: [gate.view], format: format, pool: pool), to: added)
        for row in 0..<9 {
          for (index, value) in gated.row(row).enumerated() {
            let (g, u) = (Double(gates.row(row)[index]), Double(ups.row(row)[index]))
            let wanted: Double = g / (1 + exp(-g)) * u
            #expect(abs(Double(value) - wanted) < 1e-5 * (1 + abs(wanted)))
          }
          #expect(added.row(row) == zip(before[row], gates.row(row)).map { $0 + $1 })
        }
      }
    }
  }

  @Test(
    "stacked tensors are one below the other, whatever their element type",
    arguments: [ElementType.float32, .float16, .bfloat16])
  func stacking(type: ElementType) throws {
    let pool = WorkerPool(threadCount: 2)
    let parts = try [(5, 1), (20, 2), (16, 3)].map { try RandomTensor([$0.0, 24], type: type, seed: UInt64($0.1)) }
    let matrix = try PackedMatrix(stacking: parts.map(\.view), format: .bfloat16, pool: pool)
    let x = try randomRows(1, 24, seed: 5)
    let output = try Activations(rowCapacity: 1, columns: 41)
    try operations().linear(x, rowCount: 1, weight: matrix, into: output)
    let weights = parts.flatMap(\.values)
    for (out, found) in output.row(0).enumerated() {
      let wanted: Double = products(weights[out * 24..<(out + 1) * 24], x.row(0)).reduce(0, +)
      // Half precision rounds small values of the checkpoint.
      #expect(abs(Double(found) - wanted) < 1e-2)
    }
    let odd = try RandomTensor([4, 25], type: type, seed: 9)
    #expect(throws: PackingError.self) {
      try PackedMatrix(stacking: [parts[0].view, odd.view], format: .int8, pool: pool)
    }
  }
}
