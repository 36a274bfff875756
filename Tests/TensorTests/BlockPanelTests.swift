import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

/// Blocks of files become panels as they are.
@Suite struct BlockPanelTests {
  @Test("every weight of a Q4_0 tensor is what it was, on every instruction set")
  func takenOver() throws {
    let (rows, columns) = (37, 96)
    var generator = SeededGenerator(seed: 8)
    var data = Data()
    for _ in 0..<rows * columns / 32 {
      // Scales of either sign, and codes whose best scale would be another: -8 and 7 are rare.
      let scale = Float16(Float.random(in: -0.2...0.2, using: &generator))
      for byte in [scale.bitPattern & 0xFF, scale.bitPattern >> 8] { data.append(UInt8(byte)) }
      for _ in 0..<16 { data.append(UInt8.random(in: 0...255, using: &generator) & 0x77 | 0x11) }
    }
    let directory = try TemporaryDirectory()
    try directory.write(data, to: "q4_0")
    let file = try MappedFile(path: directory.path + "/q4_0")
    let tensor = try #require(
      TensorView(name: "w", elementType: .q4_0, shape: [rows, columns], byteRange: 0..<data.count, file: file))
    let pool = WorkerPool(threadCount: 2)
    let matrix = try PackedMatrix(stacking: [tensor], format: .q4_0, pool: pool)
    let weights = tensor.floats()
    #expect(Set(weights).count > 100)
    for set in InstructionSet.available {
      let operations = try TensorOperations(pool: pool, instructionSet: set, rowCapacity: 1, columnCapacity: 128)
      let (x, output) = (
        try Activations(rowCapacity: 1, columns: columns), try Activations(rowCapacity: 1, columns: rows)
      )
      for column in 0..<columns {
        // 127 is 127 times one, so that the activation is not rounded either.
        x.setRow(0, to: (0..<columns).map { $0 == column ? 127 : 0 })
        operations.linear(x, rowCount: 1, weight: matrix, into: output)
        let found = output.row(0)
        for row in 0..<rows { #expect(found[row] == 127 * weights[row * columns + column]) }
      }
    }
  }

  @Test(
    "every weight of a tensor of blocks is what the gguf package says, on every instruction set",
    arguments: [
      ElementType.q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_NL, .iq4_XS, .mxfp4, .tq1_0,
      .tq2_0, .iq2_XXS, .iq3_XXS, .iq3_S, .iq1_S, .iq1_M,
    ])
  func everyBlockFormat(type: ElementType) throws {
    let file = try GGUFFile(path: Places.golden.appendingPathComponent("gguf/blocks.gguf").path)
    let blocks = try file.tensor(type.rawValue)
    let (rows, columns) = (blocks.shape[0], blocks.shape[1])
    let wanted = try file.tensor(type.rawValue + ".values").floats()
    let pool = WorkerPool(threadCount: 1)
    for quantization in [Quantization.file, .int8] where quantization == .file || type == .q8_0 {
      let format = quantization.format(of: type)
      #expect(format != .bfloat16)
      let matrix = try PackedMatrix(stacking: [blocks], format: format, pool: pool)
      for set in InstructionSet.available {
        let operations = try TensorOperations(pool: pool, instructionSet: set, rowCapacity: 1, columnCapacity: columns)
        let (x, output) = (
          try Activations(rowCapacity: 1, columns: columns), try Activations(rowCapacity: 1, columns: rows)
        )
        for column in 0..<columns {
          x.setRow(0, to: (0..<columns).map { $0 == column ? 127 : 0 })
          operations.linear(x, rowCount: 1, weight: matrix, into: output)
          for row in 0..<rows {
            // Scale times integer less offset, in single precision: off by the rounding of the largest of them.
            let (found, weight) = (output.row(0)[row], 127 * wanted[row * columns + column])
            let run = wanted[row * columns + column / 16 * 16..<row * columns + column / 16 * 16 + 16]
            let size = 127 * (run.map { abs($0) }.max() ?? 0)
            // Scales that are products are rounded to halves.
            let isRounded = [.iq4_XS, .iq2_XXS, .iq3_S, .iq1_S].contains(type)
            let tolerance: Float = isRounded ? 5e-4 : 4e-6
            #expect(abs(found - weight) <= tolerance * max(size, abs(weight)), "\(set) \(row) \(column)")
          }
        }
      }
    }
  }

  @Test("weights that are no finite numbers are refused by name", arguments: [WeightFormat.int8, .int4, .q4_0, .q6_K])
  func infinities(format: WeightFormat) throws {
    for value in [Float.infinity, -.infinity, .nan] {
      var values = [Float](repeating: 0.5, count: 3 * 64)
      values[100] = value
      let tensor = try RandomTensor([3, 64], values: values)
      let error = #expect(throws: PackingError.self) {
        try PackedMatrix(stacking: [tensor.view], format: format, pool: WorkerPool(threadCount: 1))
      }
      #expect(error?.description.contains("'weight', rows 0 to 2: a weight is infinite") == true)
    }
    // The scale of a block.
    let block = Data([0x00, 0x7C] + [UInt8](repeating: 0x77, count: 16))
    let directory = try TemporaryDirectory()
    try directory.write(block, to: "q4_0")
    let tensor = try #require(
      TensorView(
        name: "w", elementType: .q4_0, shape: [1, 32], byteRange: 0..<18,
        file: MappedFile(path: directory.path + "/q4_0")))
    #expect(throws: PackingError.self) {
      try PackedMatrix(stacking: [tensor], format: format, pool: WorkerPool(threadCount: 1))
    }
  }

  @Test("rows are of whole blocks, whole heads are turned, and elements lie where they should")
  func views() throws {
    let directory = try TemporaryDirectory()
    let values = (0..<24).map { Float($0) }
    try directory.write(GGUFWriter.encoded(values, as: .float32), to: "t")
    let file = try MappedFile(path: directory.path + "/t")
    func view(_ type: ElementType, _ shape: [Int], _ bytes: Int, _ order: TensorView.RowOrder = .natural) -> TensorView?
    {
      TensorView(name: "t", elementType: type, shape: shape, byteRange: 0..<bytes, file: file, rowOrder: order)
    }
    #expect(view(.q4_0, [2, 32], 36) != nil)
    #expect(view(.q4_0, [4, 16], 36) == nil)
    #expect(view(.q4_0, [], 18) == nil)
    #expect(view(.q6_K, [1, 128], 105) == nil)
    #expect(view(.float32, [8, 3], 96, .pairedHalves(headSize: 3)) == nil)
    #expect(view(.float32, [6, 4], 96, .pairedHalves(headSize: 4)) == nil)
    // Two heads of four rows: the file has rows 0, 2, 1, 3 of each.
    let turned = try #require(view(.float32, [8, 3], 96, .pairedHalves(headSize: 4)))
    let rows = [0, 2, 1, 3, 4, 6, 5, 7].flatMap { row in (0..<3).map { Float(row * 3 + $0) } }
    #expect(turned.floats() == rows)
    #expect(turned.floats(in: 3..<9) == Array(rows[3..<9]))
    // Two groups of four rows, of which another tensor has the third.
    func grouped(_ rows: Int, _ places: [Range<Int>], size: Int = 4) -> TensorView? {
      view(.float32, [rows, 3], 96, .groups(count: 2, size: size, places: places))
    }
    let gathered = try #require(grouped(6, [3..<4, 0..<2]))
    #expect(gathered.floats() == [3, 7, 0, 1, 4, 5].flatMap { row in (0..<3).map { Float(row * 3 + $0) } })
    #expect(gathered.floats(in: 9..<15) == [3, 4, 5, 12, 13, 14])
    #expect(try gathered.copiedRows([1, 4]).floats() == [21, 22, 23, 12, 13, 14])
    for other in [
      grouped(5, [3..<4, 0..<2]), grouped(6, [2..<5]), grouped(2, [0..<0, 1..<2]), grouped(6, [0..<3], size: 5),
      grouped(10, [0..<4, 1..<2]),
    ] { #expect(other == nil) }
    let pool = WorkerPool(threadCount: 1)
    let matrix = try PackedMatrix(stacking: [turned], format: .bfloat16, pool: pool)
    let operations = try TensorOperations(pool: pool, rowCapacity: 1, columnCapacity: 64)
    let (x, output) = (try Activations(rowCapacity: 1, columns: 3), try Activations(rowCapacity: 1, columns: 8))
    x.setRow(0, to: [1, 0, 0])
    operations.linear(x, rowCount: 1, weight: matrix, into: output)
    #expect(output.row(0) == stride(from: 0, to: 24, by: 3).map { rows[$0] })
  }
}
