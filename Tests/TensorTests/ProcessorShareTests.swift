import Foundation
import Tensor
import Testing

/// A folder that stands for `/`, with the files that are asked for.
struct FakeRoot: ~Copyable {
  let path: String

  init(_ files: [String: String]) throws {
    path = FileManager.default.temporaryDirectory.path + "/root-\(UUID().uuidString)"
    for (name, text) in files {
      let file = URL(fileURLWithPath: path + name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct ProcessorShareTests {
  /// Sixteen processors, the two threads of eight cores.
  private static func machine(allowed: String = "0-15") -> [String: String] {
    var files = ["/proc/self/status": "Name:\tforetoken\nCpus_allowed:\tffff\nCpus_allowed_list:\t\(allowed)\n"]
    for cpu in 0..<16 {
      files["/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list"] = "\(cpu % 8),\(cpu % 8 + 8)\n"
    }
    return files
  }

  private static let second = [
    "/proc/self/cgroup": "0::/kubepods/pod1/box\n",
    "/proc/self/mountinfo":
      "24 1 0:22 / /proc rw - proc proc rw\n30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
  ]

  private static let first = [
    "/proc/self/cgroup": "7:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\n0::/\n",
    "/proc/self/mountinfo": """
    33 24 0:29 /docker/1f /sys/fs/cgroup/cpu\\040time rw - cgroup cgroup rw,cpu,cpuacct
    34 24 0:30 /docker/1f /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
    """,
  ]

  private func share(_ parts: [String: String]...) throws -> (share: ProcessorShare, memory: Int?) {
    let root = try FakeRoot(parts.reduce(into: [:]) { $0.merge($1) { $1 } })
    return (ProcessorShare(root: root.path), ControlGroup(root: root.path).memoryBytes)
  }

  @Test("threads of one core count once, and only cores of the affinity mask count")
  func cores() throws {
    #expect(try share(Self.machine()).share.threads == 8)
    #expect(try share(Self.machine(allowed: "0-3,8")).share.cores == 4)
    #expect(try share(Self.machine(allowed: "9")).share.threads == 1)
    #expect(try share(Self.machine()).share.quota == nil)
  }

  @Test("the tightest quota up the tree of version 2 counts, rounded up")
  func secondVersion() throws {
    let place = "/sys/fs/cgroup/kubepods"
    let found = try share(
      Self.machine(), Self.second,
      [
        place + "/pod1/box/cpu.max": "max 100000\n", place + "/pod1/cpu.max": "250000 100000\n",
        place + "/cpu.max": "600000 100000\n", place + "/pod1/memory.max": "1073741824\n",
        place + "/memory.max": "max\n",
      ])
    #expect(found.share.quota == 2.5)
    #expect(found.share.threads == 3)
    #expect(found.memory == 1 << 30)
  }

  @Test("quotas of version 1 are read where its controllers are mounted from the container's group")
  func firstVersion() throws {
    let found = try share(
      Self.machine(), Self.first,
      [
        "/sys/fs/cgroup/cpu time/cpu.cfs_quota_us": "400000\n", "/sys/fs/cgroup/cpu time/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
      ])
    #expect(found.share.threads == 4)
    #expect(found.memory == 2 << 30)
  }

  @Test("a quota above the cores, none, or one that is no number changes nothing; the least is one thread")
  func oddQuotas() throws {
    func threads(_ text: String) throws -> Int {
      try share(Self.machine(), Self.second, ["/sys/fs/cgroup/kubepods/cpu.max": text]).share.threads
    }
    #expect(try threads("9900000 100000") == 8)
    #expect(try threads("1000 100000") == 1)
    for text in ["max 100000", "", "-1 100000", "100000 0", "nan 100000", "1e400 1", "100000"] {
      #expect(try threads(text) == 8, "\(text)")
    }
    let unlimited = try share(
      Self.machine(), Self.first,
      [
        "/sys/fs/cgroup/cpu time/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu time/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      ])
    #expect(unlimited.share.threads == 8)
    #expect(unlimited.memory == nil)
  }
}
