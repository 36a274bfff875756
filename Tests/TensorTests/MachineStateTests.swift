import Foundation
import Tensor
import Testing

/// What the system says of memory and of who computes.
@Suite struct MachineStateTests {
  @Test("memory and the mode of huge pages are read; what makes no sense is nothing")
  func memory() throws {
    let root = try FakeRoot([
      "/proc/meminfo": "MemTotal:       16384000 kB\nMemFree:  100 kB\nMemAvailable:    8192000 kB\n",
      "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    ])
    let memory = try #require(MachineMemory(root: root.path))
    #expect(memory.total == 16_384_000 << 10 && memory.available == 8_192_000 << 10)
    #expect(memory.hugePages == "madvise")
    for text in ["", "MemTotal: -5 kB\n", "MemTotal: 99999999999999999999 kB\n", "MemTotal: 16384000 MB\n"] {
      let root = try FakeRoot(["/proc/meminfo": text])
      #expect(MachineMemory(root: root.path) == nil, "\(text)")
    }
    // Old kernels do not say what is available; no more of it than there is.
    let old = try FakeRoot(["/proc/meminfo": "MemTotal: 100 kB\nMemAvailable: 200 kB\n"])
    #expect(MachineMemory(root: old.path)?.available == 100 << 10)
    #expect(MachineMemory(root: old.path)?.hugePages == nil)
  }

  @Test("the machine's memory is a limit that nobody can raise")
  func limit() throws {
    let root = try FakeRoot(["/proc/meminfo": "MemTotal: 1024 kB\n"])
    let limit = try #require(MemoryLimit.all(root: root.path).first { !$0.canBeRaised })
    #expect(limit.bytes == 1 << 20 && !limit.countsMappings)
  }

  @Test("of two looks at the processors, the difference says how many computed and how many were the host's")
  func times() throws {
    func times(_ first: String) throws -> ProcessorTimes? {
      let root = try FakeRoot(["/proc/stat": "cpu  \(first)\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n"])
      return ProcessorTimes(root: root.path)
    }
    let before = try #require(try times("100 0 50 1000 20 0 0 10 7 0"))
    let after = try #require(try times("150 0 50 1130 20 0 0 30 7 0"))
    let load = try #require(after.average(since: before))
    // 200 ticks on two processors: 50 of them busy, 20 stolen.
    #expect(load.busy == 0.5 && load.stolen == 0.2)
    #expect(before.average(since: after) == nil && before.average(since: before) == nil)
    for text in ["", "1 2 3", "a b c d e f g h", "1 2 3 4 5 6 7 99999999999999999999"] {
      #expect(try times(text) == nil, "\(text)")
    }
  }
}
