import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

/// Safetensors checkpoints that are quantised already: their values are those that the packages of each layout give, and
/// what is computed with them is what `transformers` computes (`Tests/Golden/quantized.py`).
@Suite struct QuantizedModelTests {
  struct Expected: Decodable {
    let prompt: [Int32]
    let logits: [[Float]]
    /// CRC-32 of each matrix's values in single precision.
    let checksums: [String: UInt32]
  }

  static let forms = [
    "awq", "ct-float-block", "ct-float-channel", "ct-float-tensor", "ct-int8-channel", "ct-int8-tensor", "ct-mxfp4",
    "ct-packed3", "ct-packed4", "ct-packed4-order", "ct-packed4-zeros", "ct-packed8", "fp8-blocks", "fp8-one-scale",
    "fp8-rows", "gptq", "gptq-3", "gptq-8", "gptq-8-zeros", "gptq-order", "gptq-symmetric", "gptq-v2",
  ]
  /// What each is held in by default.
  static let formats: [String: WeightFormat] = [
    "awq": .q5_0, "ct-int8-channel": .int8, "ct-int8-tensor": .int8, "ct-mxfp4": .mxfp4, "ct-packed3": .q4_0,
    "ct-packed4": .q4_0, "ct-packed4-zeros": .q5_0, "ct-packed8": .int8, "gptq": .q5_0, "gptq-3": .q4_0,
    "gptq-8": .int8,
    "gptq-symmetric": .q4_0, "gptq-v2": .q5_0,
  ]
  static let folder = Places.golden.appendingPathComponent("quantized")

  func path(_ form: String) -> String { Self.folder.appendingPathComponent(form).path }

  func expected(_ form: String) throws -> Expected {
    let file = Self.folder.appendingPathComponent(form + "/expected.json")
    return try JSONDecoder().decode(Expected.self, from: Data(contentsOf: file))
  }

  func logits(_ form: String, _ quantization: Quantization) throws -> [[Float]] {
    let tests = ReferenceTests()
    var found: [[Float]] = []
    try tests.prefill(try tests.runner(path(form), quantization: quantization), try expected(form).prompt) {
      found.append($1)
    }
    return found
  }

  func largestDifference(_ one: [[Float]], _ other: [[Float]]) -> Float {
    zip(one, other).reduce(0) { worst, rows in
      zip(rows.0, rows.1).reduce(worst) { max($0, abs($1.0 - $1.1)) }
    }
  }

  @Test("every weight is, to the bit, what the layout's own package makes of it", arguments: forms)
  func values(form: String) throws {
    let checkpoint = try Checkpoint(directory: path(form))
    let sums = try expected(form).checksums
    #expect(sums.count == 8)
    for (name, sum) in sums {
      let tensor = try checkpoint.tensor(name, shape: try #require(checkpoint.shape(of: name)))
      let floats = tensor.floats()
      // Zeros have signs in that package's MXFP4, and none here.
      #expect(form == "ct-mxfp4" || CRC32.checksum(floats) == sum, "\(name)")
      // A part that begins and ends anywhere is the same numbers.
      #expect(tensor.floats(in: 37..<150) == Array(floats[37..<150]))
      if name == "extra.weight" {
        let rows = try tensor.copiedRows([3, 0]).floats()
        #expect(rows == Array(floats[3 * tensor.shape[1]..<4 * tensor.shape[1]]) + floats[..<tensor.shape[1]])
      }
    }
    #expect(checkpoint.tensorNames.allSatisfy { $0.hasSuffix(".weight") })
  }

  @Test("logits are those of transformers with the same weights", arguments: forms)
  func reference(form: String) throws {
    let difference = largestDifference(try logits(form, .none), try expected(form).logits)
    #expect(difference < ReferenceTests.tolerance, "largest difference \(difference)")
  }

  @Test("by default integers are held as they are, and floats in bf16", arguments: forms)
  func held(form: String) throws {
    let checkpoint = try Checkpoint(directory: path(form))
    for name in try expected(form).checksums.keys {
      let tensor = try checkpoint.tensor(name, shape: try #require(checkpoint.shape(of: name)))
      let format = Quantization.file.format(of: tensor.elementType)
      #expect(format == Self.formats[form] ?? .bfloat16)
      let error = try #require(format.relativeError(of: tensor))
      // Of the extra matrix scales have more digits than bf16 or halves, but not than the one scale of a row.
      #expect(error <= (name != "extra.weight" ? 1e-7 : format == .bfloat16 ? 0.002 : 2e-4), "\(name): \(error)")
    }
    // What is left is the rounding of activations.
    let difference = largestDifference(try logits(form, .file), try expected(form).logits)
    let scale = try expected(form).logits.joined().reduce(0) { max($0, abs($1)) }
    #expect(difference < 0.03 * scale, "largest difference \(difference) of \(scale)")
  }

  @Test("an expert's rows are those that transformers makes of blocks and exponents")
  func experts() throws {
    struct Values: Decodable { let values: [[Float]] }
    let file = Self.folder.appendingPathComponent("experts/expected.json")
    let values = try JSONDecoder().decode(Values.self, from: Data(contentsOf: file)).values
    let checkpoint = try Checkpoint(directory: path("experts"))
    #expect(checkpoint.tensorNames == ["experts.gate_up_proj"])
    let tensor = try checkpoint.tensor("experts.gate_up_proj", shape: [2, 6, 96])
    for expert in 0..<2 {
      let matrix = tensor[expert]
      #expect(matrix.shape == [6, 96] && matrix.elementType == .mxfp4)
      #expect(matrix.floats() == values[expert])
      #expect(try #require(WeightFormat.mxfp4.relativeError(of: matrix)) < 1e-7)
      let packed = try PackedMatrix(stacking: [matrix], format: .mxfp4, pool: WorkerPool(threadCount: 1))
      let operations = try TensorOperations(pool: WorkerPool(threadCount: 1), rowCapacity: 1, columnCapacity: 128)
      let (x, output) = (try Activations(rowCapacity: 1, columns: 96), try Activations(rowCapacity: 1, columns: 6))
      x.setRow(0, to: (0..<96).map { $0 == 50 ? 127 : 0 })
      operations.linear(x, rowCount: 1, weight: packed, into: output)
      #expect(output.row(0) == (0..<6).map { 127 * values[expert][$0 * 96 + 50] })
    }
  }
}

/// The checksum of zip files.
private enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { index in
    var value = UInt32(index)
    for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
    return value
  }

  static func checksum(_ values: [Float]) -> UInt32 {
    var sum = ~UInt32(0)
    for value in values {
      for byte in 0..<4 {
        let place = (sum ^ (value.bitPattern >> UInt32(8 * byte))) & 0xFF
        sum = (sum >> 8) ^ table[Int(place)]
      }
    }
    return ~sum
  }
}
