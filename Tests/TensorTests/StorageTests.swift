import Foundation
import Synchronization
import Tensor
import TestSupport
import Testing

@Suite struct ActivationsTests {
  @Test("argmax takes the lowest of equals, never a NaN, and finds the end of odd rows")
  func argmax() throws {
    func argmax(_ values: [Float]) throws -> Int {
      let row = try Activations(rowCapacity: 1, columns: values.count)
      row.setRow(0, to: values)
      return row.argmax(row: 0)
    }
    #expect(try argmax([1, 5, 5, 2]) == 1)
    #expect(try argmax([.nan, 1, .nan, 3, 3]) == 3)
    #expect(try argmax([-.infinity, -.infinity]) == 0)
    #expect(try argmax((0..<300).map { [65, 130, 299].contains($0) ? 1 : 0 }) == 65)
    #expect(try argmax((0..<300).map { $0 < 200 ? .nan : Float(300 - $0) }) == 200)
    var generator = SeededGenerator(seed: 1)
    for count in Array(1...70) + [127, 128, 129, 300] {
      let values = (0..<count).map { _ in generator.normal() }
      #expect(try argmax(values) == values.indices.max { values[$0] < values[$1] })
    }
  }

  @Test("a column's probability is its share of the softmax", arguments: [1, 15, 16, 333])
  func probability(columns: Int) throws {
    var generator = SeededGenerator(seed: UInt64(columns))
    let values = (0..<columns).map { _ in generator.normal() * 4 }
    let row = try Activations(rowCapacity: 1, columns: columns)
    row.setRow(0, to: values)
    for temperature in [0.5, 1, 2] as [Float] {
      let weights = values.map { exp(Double($0) / Double(temperature)) }
      let sum = weights.reduce(0, +)
      for column in [0, columns / 2, columns - 1] {
        let found = Double(row.probability(of: column, row: 0, temperature: temperature))
        #expect(abs(found - weights[column] / sum) < 1e-6)
      }
    }
  }

  @Test("memory that nobody has is refused with its purpose")
  func refusal() {
    let error = #expect(throws: MemoryError.self) {
      try KVStorage(layerCount: 1 << 10, blockCount: 1 << 22, kvHeadCount: 128, headSize: 128)
    }
    #expect(error?.description.contains("for the KV cache") == true)
  }
}

@Suite struct MappedFileTests {
  @Test("what cannot be mapped is named; ranges outside the file are nothing")
  func errors() throws {
    let directory = try TemporaryDirectory()
    #expect(throws: MappedFileError.self) { try MappedFile(path: directory.path + "/none") }
    #expect(throws: MappedFileError.self) { try MappedFile(path: directory.path) }
    try directory.write(Data(), to: "empty")
    #expect(try MappedFile(path: directory.path + "/empty").byteCount == 0)
    try directory.write(Data([1, 2, 3, 4]), to: "four")
    let file = try MappedFile(path: directory.path + "/four")
    #expect(TensorView(name: "t", elementType: .bfloat16, shape: [3], byteRange: 0..<6, file: file) == nil)
    #expect(TensorView(name: "t", elementType: .bfloat16, shape: [.max, .max], byteRange: 0..<4, file: file) == nil)
    #expect(TensorView(name: "t", elementType: .bfloat16, shape: [2], byteRange: 0..<4, file: file) != nil)
  }

  @Test("all 65,536 halves become the float that they are")
  func halves() {
    for bits in UInt16.min...UInt16.max {
      let (found, wanted) = (TensorView.single(fromHalf: bits), Float(Float16(bitPattern: bits)))
      #expect(found == wanted || found.isNaN && wanted.isNaN)
    }
  }
}
