import Foundation
import Tensor
import TestSupport
import Testing

@Suite struct AttentionTests {
  struct Shape: Sendable { let heads, kvHeads, headSize: Int }
  static let shapes = [
    Shape(heads: 4, kvHeads: 2, headSize: 16), Shape(heads: 3, kvHeads: 3, headSize: 36),
    Shape(heads: 8, kvHeads: 1, headSize: 128), Shape(heads: 2, kvHeads: 1, headSize: 80),
  ]
  static let length = 53
  /// Scattered on purpose.
  static let blocks: [Int32] = [6, 0, 9, 3]

  /// The attention outputs of all positions, computed in the given chunks.
  func run(
    _ shape: Shape, chunks: [Int], threads: Int = 1, set: InstructionSet? = nil, dirty: Bool = false,
    format: KVCacheFormat = .float16
  ) throws -> [[Float]] {
    let columns = (shape.heads + 2 * shape.kvHeads) * shape.headSize
    let input = try randomRows(Self.length, columns, seed: 8)
    let operations = try TensorOperations(
      pool: WorkerPool(threadCount: threads), instructionSet: set, rowCapacity: 64, columnCapacity: columns)
    let storage = try KVStorage(
      layerCount: 2, blockCount: 10, kvHeadCount: shape.kvHeads, headSize: shape.headSize, format: format)
    let qkv = try Activations(rowCapacity: 64, columns: columns)
    let (cosines, sines) = (
      try Activations(rowCapacity: 64, columns: shape.headSize / 2),
      try Activations(rowCapacity: 64, columns: shape.headSize / 2)
    )
    let output = try Activations(rowCapacity: 64, columns: shape.heads * shape.headSize)
    let frequencies = (0..<shape.headSize / 2).map { powf(10_000, -Float(2 * $0) / Float(shape.headSize)) }
    let norm = (0..<shape.headSize).map { 1 + Float($0) / 100 }
    func pass(first: Int, count: Int, rows: [[Float]]) -> [[Float]] {
      for (row, values) in rows.enumerated() { qkv.setRow(row, to: values) }
      let slices = [AttentionSlice(firstRow: 0, rowCount: count, firstPosition: first, blocks: Self.blocks)]
      operations.rotaryAngles(
        positions: (0..<count).map { Int32(first + $0) }, inverseFrequencies: frequencies, scale: 1, into: cosines,
        sin: sines)
      operations.normRotateStore(
        qkv, rowCount: count, headCount: shape.heads, kvHeadCount: shape.kvHeads, headSize: shape.headSize,
        queryNorm: norm, keyNorm: norm, epsilon: 1e-6, cos: cosines, sin: sines, slices: slices, storage: storage,
        layer: 1)
      operations.attention(
        qkv, headCount: shape.heads, kvHeadCount: shape.kvHeads, headSize: shape.headSize,
        scale: 1 / Float(shape.headSize).squareRoot(), slices: slices, storage: storage, layer: 1, into: output)
      return (0..<count).map { output.row($0) }
    }
    var results: [[Float]] = []
    for count in chunks {
      if dirty, results.count + 4 <= Self.length {
        // A rejected proposal: positions are written, and then written again.
        _ = pass(
          first: results.count, count: 4, rows: (0..<4).map { input.row((results.count + $0 * 7) % Self.length) })
      }
      results += pass(
        first: results.count, count: count, rows: (0..<count).map { input.row(results.count + $0) })
    }
    return results
  }

  @Test(
    "chunks, threads, instruction sets and rejected proposals leave the bits as they are", arguments: shapes,
    KVCacheFormat.allCases)
  func invariance(shape: Shape, format: KVCacheFormat) throws {
    let whole = try run(shape, chunks: [53], set: .portable, format: format)
    #expect(try run(shape, chunks: Array(repeating: 1, count: 53), format: format) == whole)
    #expect(try run(shape, chunks: [17, 1, 30, 5], threads: 2, format: format) == whole)
    #expect(try run(shape, chunks: [20, 1, 1, 9, 22], threads: 3, dirty: true, format: format) == whole)
    for set in InstructionSet.available {
      #expect(try run(shape, chunks: [53], threads: 2, set: set, format: format) == whole)
      #expect(try run(shape, chunks: [40, 2, 3, 7, 1], threads: 2, set: set, format: format) == whole)
    }
  }

  @Test(
    "attention is softmax of scaled products over all positions so far", arguments: shapes, KVCacheFormat.allCases)
  func formula(shape: Shape, format: KVCacheFormat) throws {
    let found = try run(shape, chunks: [53], format: format)
    let size = shape.headSize
    let input = try randomRows(Self.length, (shape.heads + 2 * shape.kvHeads) * size, seed: 8)
    func head(_ position: Int, _ index: Int, isRotated: Bool) -> [Double] {
      var values = Array(input.row(position)[index * size..<(index + 1) * size]).map(Double.init)
      guard isRotated else { return values }
      let rms = (values.reduce(0) { $0 + $1 * $1 } / Double(size) + 1e-6).squareRoot()
      values = values.enumerated().map { $1 / rms * (1 + Double($0) / 100) }
      return (0..<size).map { index in
        let angle = Double(position) * pow(10_000, -Double(2 * (index % (size / 2))) / Double(size))
        let partner = index < size / 2 ? -values[index + size / 2] : values[index - size / 2]
        return values[index] * cos(angle) + partner * sin(angle)
      }
    }
    for position in [0, 15, 16, 52] {
      for query in 0..<shape.heads {
        let q = head(position, query, isRotated: true)
        let kvHead = query / (shape.heads / shape.kvHeads)
        let scores = (0...position).map { other in
          zip(q, head(other, shape.heads + kvHead, isRotated: true)).reduce(0) { $0 + $1.0 * $1.1 }
            / Double(size).squareRoot()
        }
        let weights = scores.map { exp($0 - (scores.max() ?? 0)) }
        let total = weights.reduce(0, +)
        var wanted = [Double](repeating: 0, count: size)
        for (other, weight) in weights.enumerated() {
          for (index, value) in head(other, shape.heads + shape.kvHeads + kvHead, isRotated: false).enumerated() {
            wanted[index] += weight / total * value
          }
        }
        for index in 0..<size {
          // Halves have 11 bits, bytes 7 and a sign.
          let tolerance = format == .float16 ? 4e-3 : 6e-2
          #expect(abs(Double(found[position][query * size + index]) - wanted[index]) < tolerance)
        }
      }
    }
  }
}
