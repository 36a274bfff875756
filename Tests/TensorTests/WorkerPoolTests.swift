import Foundation
import Synchronization
import Tensor
import Testing

@Suite struct WorkerPoolTests {
  static let threadCounts = [1, 2, 3, 4, 63, 64, 65, 66, 100, 130, 512]

  /// Long enough that every worker of a small pool is asleep, and some of a large one.
  private static func pause() { Thread.sleep(forTimeInterval: 0.02) }

  /// A pool whose workers have all run once.
  private static func awakePool(_ threads: Int) -> WorkerPool {
    let pool = WorkerPool(threadCount: threads)
    pool.run { _ in }
    return pool
  }

  @Test("every index is visited once, thousands of times, awake or asleep", arguments: threadCounts)
  func coverage(threads: Int) {
    let pool = WorkerPool(threadCount: threads)
    let jobs = threads > 4 ? 200 : 2_000
    for count in 0..<jobs {
      let visits = count % 101
      let total = Atomic<Int>(0)
      pool.run(over: visits) { share in total.add(share.reduce(0) { $0 + $1 + 1 }, ordering: .relaxed) }
      #expect(total.load(ordering: .relaxed) == visits * (visits + 1) / 2)
      if count % (jobs / 4) == 0 { Self.pause() }
    }
  }

  @Test("work for every worker runs once on each of them, awake, asleep or half and half", arguments: threadCounts)
  func everyWorker(threads: Int) {
    let pool = WorkerPool(threadCount: threads)
    for round in 0..<6 {
      let visits = Mutex([Int](repeating: 0, count: threads))
      pool.run { worker in visits.withLock { $0[worker] += 1 } }
      #expect(visits.withLock { $0 } == [Int](repeating: 1, count: threads))
      if round < 3 { Self.pause() }
      // A job for few wakes only some.
      if round == 1 { pool.runEach(2) { _, _ in } }
    }
  }

  @Test("parts that workers claim cover everything once and begin at multiples of the unit", arguments: threadCounts)
  func claims(threads: Int) {
    let pool = WorkerPool(threadCount: threads)
    for (count, unit) in [(0, 1), (1, 2), (7, 2), (64, 2), (1001, 1), (1001, 4), (9, 3), (40_000, 2)] {
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

  @Test(
    "jobs of different sizes follow each other without a pause, and none gets parts of another", arguments: [3, 66])
  func succession(threads: Int) {
    let pool = WorkerPool(threadCount: threads)
    for number in 0..<3_000 {
      let count = 1 + number * 37 % 64
      let sum = Atomic<Int>(0)
      switch number % 3 {
      case 0: pool.run(claiming: count, inMultiplesOf: 1) { sum.add($0.count, ordering: .relaxed) }
      case 1: pool.runEach(count) { _, _ in sum.add(1, ordering: .relaxed) }
      default: pool.run(over: count) { sum.add($0.count, ordering: .relaxed) }
      }
      #expect(sum.load(ordering: .relaxed) == count)
    }
  }

  @Test("a worker that is held up in one part does not keep another from taking all others")
  func heldUpWorker() {
    let pool = Self.awakePool(3)
    let done = Atomic<Int>(0)
    pool.runEach(64) { _, index in
      // The first part ends only when all others are done, whoever has to do them.
      while index == 0, done.load(ordering: .acquiring) < 63 { Thread.sleep(forTimeInterval: 0.0001) }
      done.add(1, ordering: .releasing)
    }
    #expect(done.load(ordering: .relaxed) == 64)
  }

  @Test("pools end while their workers spin or sleep", arguments: [3, 66])
  func shutdown(threads: Int) {
    for round in 0..<(threads > 3 ? 20 : 100) {
      let pool = WorkerPool(threadCount: threads)
      if round % 2 == 0 { pool.run { _ in } }
      if round % 10 == 0 { Self.pause() }
    }
  }
}
