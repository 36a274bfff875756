// Jobs of all kinds on pools of many sizes, with pauses in which workers fall asleep, beside threads that compete for the
// processors: what `make threads` runs under the thread sanitizer. Ends with 1 when a job is not done exactly once.
import Foundation
import Synchronization
import Tensor

let seconds = CommandLine.arguments.dropFirst().first.flatMap(Double.init) ?? 30
let deadline = ContinuousClock.now + .seconds(seconds)
var generator = SystemRandomNumberGenerator()
var jobs = 0

func fail(_ what: String) -> Never {
  FileHandle.standardError.write(Data("pool-stress: \(what)\n".utf8))
  exit(1)
}

let isOver = Atomic<Bool>(false)
for _ in 0..<2 {
  Thread {
    while !isOver.load(ordering: .relaxed) {
      let end = ContinuousClock.now + .milliseconds(20)
      while ContinuousClock.now < end {}
      Thread.sleep(forTimeInterval: 0.02)
    }
  }.start()
}

/// Items that every worker writes to without a lock: two workers in one item are a race that the sanitizer sees.
struct Items: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<Int>
}

while ContinuousClock.now < deadline {
  let threads = [1, 2, 3, 4, 8, 65, 130].randomElement(using: &generator) ?? 2
  let pool = WorkerPool(threadCount: threads)
  for _ in 0..<100 {
    let count = Int.random(in: 0...300, using: &generator)
    let items = Items(pointer: .allocate(capacity: count + 1))
    defer { items.pointer.deallocate() }
    items.pointer.initialize(repeating: 0, count: count + 1)
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: pool.run(over: count) { for index in $0 { items.pointer[index] += 1 } }
    case 1: pool.run(claiming: count, inMultiplesOf: 2) { for index in $0 { items.pointer[index] += 1 } }
    case 2: pool.runEach(count) { _, index in items.pointer[index] += 1 }
    default:
      let visits = Atomic<Int>(0)
      pool.run { _ in visits.add(1, ordering: .relaxed) }
      let called = visits.load(ordering: .relaxed)
      guard called == threads else { fail("\(threads) workers were called \(called) times") }
      for index in 0..<count { items.pointer[index] += 1 }
    }
    for index in 0..<count where items.pointer[index] != 1 {
      fail("item \(index) of \(count) was done \(items.pointer[index]) times by \(threads) threads")
    }
    jobs += 1
    if Int.random(in: 0..<20, using: &generator) == 0 {
      Thread.sleep(forTimeInterval: Double.random(in: 0...0.02, using: &generator))
    }
  }
}
isOver.store(true, ordering: .relaxed)
print("\(jobs) jobs, each item once")
