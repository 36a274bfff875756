import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

/// GGUF files compute what the checkpoints compute that they were made from.
@Suite struct GGUFModelTests {
  /// Logits of the whole prompt, `[position, vocabulary]`.
  func logits(_ path: String, quantization: Quantization = .none, prompt: [Int32]) throws -> [[Float]] {
    let tests = ReferenceTests()
    var found: [[Float]] = []
    try tests.prefill(try tests.runner(path, quantization: quantization), prompt) { _, row in found.append(row) }
    return found
  }

  func largest(_ row: [Float]) -> Int? { row.indices.max { row[$0] < row[$1] } }

  @Test("a converted checkpoint has the same logits to the bit", arguments: ForwardCase.random + ForwardCase.pair)
  func conversion(example: ForwardCase) throws {
    let expected = try ForwardReference(example.expected)
    let directory = try TemporaryDirectory()
    let path = directory.path + "/model.gguf"
    try directory.write(try GGUFModel.writer(of: example.directory, as: .float32).data, to: "model.gguf")
    let found = try logits(path, prompt: expected.prompt)
    if example.name == "llama-3-rope" {
      // Frequencies divided by factors, which round otherwise than those of the formula.
      for (place, position) in expected.positions.enumerated() {
        for (value, wanted) in zip(found[position], expected.logits[place]) {
          #expect(abs(value - wanted) < ReferenceTests.tolerance)
        }
      }
    } else {
      #expect(try found == logits(example.directory, prompt: expected.prompt))
    }
    let (one, other) = (try ModelConfiguration(directory: path), try ModelConfiguration(directory: example.directory))
    #expect(one.architecture == other.architecture && one.tiesWordEmbeddings == other.tiesWordEmbeddings)
    #expect(one.rmsNormEpsilon == other.rmsNormEpsilon && one.maximumPosition == other.maximumPosition)
  }

  @Test("llama.cpp's own writer: biases and turned rows of Llama, logits of transformers")
  func independentFile() throws {
    let example = try #require(ForwardCase.random.first { $0.name == "llama-biases" })
    let expected = try ForwardReference(example.expected)
    let path = Places.golden.appendingPathComponent("gguf/llama-biases.gguf").path
    let found = try logits(path, prompt: expected.prompt)
    for (place, position) in expected.positions.enumerated() {
      for (value, wanted) in zip(found[position], expected.logits[place]) {
        #expect(abs(value - wanted) < ReferenceTests.tolerance)
      }
    }
    let agreeing = zip(found, expected.argmax).count { largest($0) == $1 }
    #expect(Double(agreeing) >= 0.95 * Double(found.count))
  }

  @Test("half precision and bf16 choose the tokens of the checkpoint; eight and four bits nearly all of them")
  func formats() throws {
    let expected = try ForwardReference(ForwardCase.pair[0].expected)
    let original = try logits(Places.target, prompt: expected.prompt).map { largest($0) }
    let directory = try TemporaryDirectory()
    for (kind, share) in [
      (GGUFWriter.Kind.bfloat16, 1.0), (.float16, 1.0), (.q8_0, 0.97), (.q4_0, 0.7),
    ] {
      try directory.write(try GGUFModel.writer(of: Places.target, as: kind).data, to: "model.gguf")
      let found = try logits(directory.path + "/model.gguf", prompt: expected.prompt).map { largest($0) }
      let agreeing = zip(found, original).count { $0 == $1 }
      #expect(Double(agreeing) >= share * Double(original.count), "\(kind): \(agreeing) of \(original.count)")
    }
  }

  @Test("queries, keys and values in three formats are packed together")
  func mixture() throws {
    let directory = try TemporaryDirectory()
    var generator = SeededGenerator(seed: 3)
    var writer = GGUFWriter()
    var values: [Float] = []
    for (name, kind) in [("a", GGUFWriter.Kind.q8_0), ("b", .float16), ("c", .bfloat16)] {
      let part = (0..<5 * 32).map { _ in Float(Int.random(in: -127...127, using: &generator)) }
      // The scale of eight-bit blocks is 1, so that every format holds these numbers.
      let exact = part.enumerated().map { $0.offset % 32 == 0 ? 127 : $0.element }
      values += exact
      writer.add(name, [5, 32], exact, as: kind)
    }
    try directory.write(writer.data, to: "m.gguf")
    let file = try GGUFFile(path: directory.path + "/m.gguf")
    let pool = WorkerPool(threadCount: 1)
    let matrix = try PackedMatrix(
      stacking: try ["a", "b", "c"].map { try file.tensor($0) }, format: .bfloat16, pool: pool)
    let operations = try TensorOperations(pool: pool, rowCapacity: 1, columnCapacity: 64)
    let (x, output) = (try Activations(rowCapacity: 1, columns: 32), try Activations(rowCapacity: 1, columns: 15))
    for column in 0..<32 {
      x.setRow(0, to: (0..<32).map { $0 == column ? 1 : 0 })
      operations.linear(x, rowCount: 1, weight: matrix, into: output)
      #expect(output.row(0) == (0..<15).map { values[$0 * 32 + column] })
    }
  }
}
