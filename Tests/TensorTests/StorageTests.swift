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
    for blockCount in [1 << 32, 1 << 52] {
      #expect(throws: MemoryError.self) {
        try KVStorage(layerCount: 1 << 10, blockCount: blockCount, kvHeadCount: 1 << 10, headSize: 128)
      }
    }
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

  @Test("touching what was cut off of a mapped file ends the process with a sentence that names the file")
  func cutShort() async throws {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      let directory = try TemporaryDirectory()
      try directory.write(Data(count: 1 << 20), to: "cut \u{1B}")
      let file = try MappedFile(path: directory.path + "/cut \u{1B}")
      try FileHandle(forWritingTo: URL(fileURLWithPath: file.path)).truncate(atOffset: 1 << 16)
      let sum = file.withBytes(in: 0..<1 << 20) { bytes in
        bytes.byteOffsets.reduce(0) { unsafe $0 + Int(bytes.unsafeLoad(fromUncheckedByteOffset: $1, as: UInt8.self)) }
      }
      print(sum ?? 0)
    }
    let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(text.contains("/cut \\u{1b}' was cut short while it was being read\n"))
  }

  @Test("faults in other mapped memory, and signals that are sent, end the process as they did before")
  func otherFaults() async {
    await #expect(processExitsWith: .signal(SIGBUS)) {
      let directory = try TemporaryDirectory()
      for name in ["ours", "other"] { try directory.write(Data(count: 1 << 20), to: name) }
      let file = try MappedFile(path: directory.path + "/ours")
      let place = URL(fileURLWithPath: directory.path + "/other")
      let other = try Data(contentsOf: place, options: .alwaysMapped)
      try FileHandle(forWritingTo: place).truncate(atOffset: 1 << 16)
      print(other.reduce(0) { $0 + Int($1) }, file.byteCount)
    }
    await #expect(processExitsWith: .signal(SIGBUS)) {
      let directory = try TemporaryDirectory()
      try directory.write(Data(count: 1 << 20), to: "ours")
      let file = try MappedFile(path: directory.path + "/ours")
      _ = raise(SIGBUS)
      print(file.byteCount)
    }
  }

  @Test("all 65,536 halves become the float that they are")
  func halves() {
    for bits in UInt16.min...UInt16.max {
      let (found, wanted) = (TensorView.single(fromHalf: bits), Float(Float16(bitPattern: bits)))
      #expect(found == wanted || found.isNaN && wanted.isNaN)
    }
  }
}
