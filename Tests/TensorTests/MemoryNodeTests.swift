import Foundation
import Synchronization
import Tensor
import Testing

/// Memory nodes (NUMA), on machines that folders of files describe.
@Suite struct MemoryNodeTests {
  /// Two nodes of four cores with two threads each.
  private static func machine(
    allowed: String = "0-15", nodes: [String] = ["0-3,8-11", "4-7,12-15"]
  ) -> [String: String] {
    var files = ["/proc/self/status": "Cpus_allowed_list:\t\(allowed)\n"]
    for cpu in 0..<16 {
      files["/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"] = "\(cpu % 8),\(cpu % 8 + 8)\n"
    }
    for (number, list) in nodes.enumerated() { files["/sys/devices/system/node/node\(number)/cpulist"] = list + "\n" }
    return files
  }

  private static func share(_ files: [String: String]) throws -> ProcessorShare {
    let root = try FakeRoot(files)
    return ProcessorShare(root: root.path)
  }

  /// The number of the node that each of `threadCount` workers is kept on; `nil` when they are not kept.
  private static func nodes(_ threadCount: Int, on share: ProcessorShare) -> [Int]? {
    WorkerPlacement(threadCount: threadCount, on: share)?.processors.map { processors in
      share.nodes.firstIndex { $0.processors == processors } ?? -1
    }
  }

  @Test("nodes are those of the processors that the process may use")
  func found() throws {
    let share = try Self.share(Self.machine())
    #expect(share.nodes.map(\.cores) == [4, 4] && share.cores == 8)
    #expect(share.nodes[1].processors == [4, 5, 6, 7, 12, 13, 14, 15])
    #expect(try Self.share(Self.machine(allowed: "0-1,4,12")).nodes.map(\.cores) == [2, 1])
    #expect(try Self.share(Self.machine(allowed: "4-7")).nodes.map(\.processors) == [[4, 5, 6, 7]])
    // Nothing about nodes, or nothing that adds up.
    for nodes in [[], ["0-3"], ["0-15", "8-15"], ["", "x-y"]] {
      #expect(try Self.share(Self.machine(nodes: nodes)).nodes.map(\.cores) == [8], "\(nodes)")
    }
    // A node of memory alone.
    #expect(try Self.share(Self.machine(nodes: ["0-7", "8-15", ""])).nodes.count == 2)
  }

  @Test("workers are divided as the cores are, neighbours together; few stay on one node, and one node changes nothing")
  func divided() throws {
    let even = try Self.share(Self.machine())
    #expect(Self.nodes(8, on: even) == [0, 0, 0, 0, 1, 1, 1, 1])
    #expect(Self.nodes(6, on: even) == [0, 0, 0, 1, 1, 1])
    #expect(Self.nodes(4, on: even) == [0, 0, 0, 0])
    #expect(Self.nodes(20, on: even) == [Int](repeating: 0, count: 10) + [Int](repeating: 1, count: 10))
    let uneven = try Self.share(Self.machine(allowed: "0,4-7"))
    #expect(Self.nodes(5, on: uneven) == [0, 1, 1, 1, 1])
    #expect(Self.nodes(3, on: uneven) == [1, 1, 1])
    #expect(Self.nodes(8, on: try Self.share(Self.machine(allowed: "0-3"))) == nil)
    #expect(WorkerPool(threadCount: 2, affinity: .none, share: even).placement == nil)
  }

  @Test("every byte of a matrix is touched first by one worker, an own part by its own", arguments: [1, 2, 3, 7])
  func shares(workers: Int) {
    for (count, unit) in [(1, 1), (7, 2), (64, 2), (1001, 1)] {
      let memory = WorkerPool.Upcoming(address: 4096, bytesPerUnit: 100, count: count, unit: unit)
      let shares = (0..<workers).map { memory.shares(of: $0, workers: workers) }
      let all = shares.joined().sorted { $0.lowerBound < $1.lowerBound }
      #expect(all.first?.lowerBound == 4096 && all.last?.upperBound == 4096 + UInt(100 * count))
      #expect(zip(all, all.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
      // The first part that a worker of a pool gets is in the memory that it touched, when all are awake.
      #expect(shares[0].first?.lowerBound == 4096)
    }
  }

  #if os(Linux)
  /// The processors that the calling thread may run on, as the system lists them.
  private static func allowed() throws -> String {
    let status = try String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
    return line.dropFirst("Cpus_allowed_list:".count).trimmingCharacters(in: .whitespaces)
  }

  @Test(
    "threads stay on the processors of their nodes, and the caller where it says so",
    .enabled(if: ProcessInfo.processInfo.activeProcessorCount > 1))
  func kept() throws {
    // This machine's processors, taken for nodes of one each.
    let own = ProcessorShare.current.nodes.flatMap(\.processors).prefix(2).map { $0 }
    let share = try Self.share(
      Self.machine(allowed: own.map(String.init).joined(separator: ","), nodes: own.map(String.init)))
    let before = try Self.allowed()
    let pool = WorkerPool(threadCount: 4, affinity: .auto, share: share)
    #expect(pool.placement?.processors == [[own[0]], [own[0]], [own[1]], [own[1]]])
    var bytes = [UInt8](repeating: 1, count: 1 << 16)
    unsafe bytes.withUnsafeMutableBytes { buffer in
      let memory = WorkerPool.Upcoming(
        address: UInt(bitPattern: buffer.baseAddress), bytesPerUnit: 1 << 10, count: 64, unit: 2)
      pool.settle([memory])
    }
    // A byte of each page.
    #expect(bytes.count { $0 == 0 } >= 16)
    let found = Mutex([String](repeating: "", count: 4))
    let isDone = DispatchSemaphore(value: 0)
    Thread {
      pool.bindCaller()
      pool.run { worker in
        let allowed = (try? Self.allowed()) ?? "unknown"
        found.withLock { $0[worker] = allowed }
      }
      isDone.signal()
    }.start()
    isDone.wait()
    #expect(found.withLock { $0 } == [own[0], own[0], own[1], own[1]].map(String.init))
    // Who loads weights may run where it could before.
    #expect(try Self.allowed() == before)
  }
  #endif
}
