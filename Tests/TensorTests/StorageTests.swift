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

@Suite struct WorkerPoolTests {
  @Test("every index is visited once, thousands of times, awake or asleep", arguments: 1...4)
  func coverage(threads: Int) {
    let pool = WorkerPool(threadCount: threads)
    for count in 0..<2_000 {
      let visits = count % 101
      let total = Atomic<Int>(0)
      pool.run(over: visits) { share in total.add(share.reduce(0) { $0 + $1 + 1 }, ordering: .relaxed) }
      #expect(total.load(ordering: .relaxed) == visits * (visits + 1) / 2)
      if count % 500 == 0 { Thread.sleep(forTimeInterval: 0.01) }
    }
  }

  @Test("parts that workers claim cover everything once and begin at multiples of the unit", arguments: 1...4)
  func claims(threads: Int) {
    let pool = WorkerPool(threadCount: threads)
    for (count, unit) in [(0, 1), (1, 2), (7, 2), (64, 2), (1001, 1), (1001, 4)] {
      let visits = Mutex([Int](repeating: 0, count: count))
      let misplaced = Atomic<Int>(0)
      pool.run(claiming: count, inMultiplesOf: unit) { part in
        if part.lowerBound % unit != 0 { misplaced.add(1, ordering: .relaxed) }
        visits.withLock { visits in for index in part { visits[index] += 1 } }
      }
      #expect(visits.withLock { $0 } == [Int](repeating: 1, count: count))
      #expect(misplaced.load(ordering: .relaxed) == 0)
      let each = Mutex([Int](repeating: 0, count: count))
      pool.runEach(count) { worker, index in each.withLock { $0[index] += worker < threads ? 1 : 100 } }
      #expect(each.withLock { $0 } == [Int](repeating: 1, count: count))
    }
  }

  @Test("pools end while their workers spin or sleep")
  func shutdown() {
    for round in 0..<100 {
      let pool = WorkerPool(threadCount: 3)
      if round % 2 == 0 { pool.run { _ in } }
      if round % 10 == 0 { Thread.sleep(forTimeInterval: 0.005) }
    }
  }
}
