import Foundation
import Measurement
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

/// What `foretoken doctor` makes of a machine.
@Suite struct DiagnosisTests {
  private func state(_ diagnosis: Diagnosis, _ name: String) -> Diagnosis.Check.State? {
    diagnosis.checks.first { $0.name == name }?.state
  }

  @Test("caches that can be written to are well, and one that cannot is a fault")
  func storage() throws {
    let home = try TemporaryDirectory()
    var diagnosis = Diagnosis()
    diagnosis.examineStorage(
      HubCache(environment: ["HF_HOME": home.path + "/not/yet"]), weights: WeightCache(folder: home.path + "/kept"))
    #expect(!diagnosis.hasFault)
    try home.write(Data(), to: "file")
    var broken = Diagnosis()
    broken.examineStorage(
      HubCache(environment: ["HF_HUB_CACHE": home.path + "/file"]), weights: WeightCache(folder: home.path + "/file/x"))
    #expect(broken.hasFault && state(broken, "packed weights") == .warning)
    #expect(broken.checks.allSatisfy { $0.state == .ok || $0.advice != nil })
  }

  @Test("a hub is asked only when that is wanted, and one that does not answer is a warning")
  func hub() async {
    let client = HubClient(environment: ["HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "secret"])
    var diagnosis = Diagnosis()
    await diagnosis.examineHub(client, asks: false)
    #expect(state(diagnosis, "reachable") == .skipped)
    await diagnosis.examineHub(client, asks: true)
    #expect(diagnosis.checks.last?.state == .warning && !diagnosis.hasFault)
    #expect(diagnosis.checks.allSatisfy { !$0.found.contains("secret") })
    var offline = Diagnosis()
    await offline.examineHub(HubClient(environment: ["HF_HUB_OFFLINE": "1"]), asks: true)
    #expect(state(offline, "reachable") == .warning)
  }

  @Test("a plugin that is asked for and is not there is a fault; that there is none is not")
  func plugins() {
    var diagnosis = Diagnosis()
    diagnosis.examineAccelerators(wanted: "/nonexistent/plugin.so")
    #expect(diagnosis.hasFault)
  }

  @Test("estimates are the floor of a pass: bytes over bandwidth where that is the bound, and arithmetic where that is")
  func estimates() throws {
    let fast = MachineCeilings.Sample(readBandwidth: 10e9, byteOperations: 1e15, floatOperations: 1e15)
    let found = try DecodingEstimate.all(ceilings: fast, room: 6_000_000_000)
    #expect(
      found.map(\.model) == [
        "Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-4B", "Qwen/Qwen3-4B", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B",
      ])
    for estimate in found {
      let bytes = Double(estimate.weight_bytes)
      #expect(estimate.tokens_per_second < 10e9 / bytes && estimate.tokens_per_second > 10e9 / (bytes * 1.2))
    }
    // 0.6 billion weights of 4.63 and 8.5 bits, and the embedding in eight where it is the head.
    #expect((320_000_000..<450_000_000).contains(found[0].weight_bytes))
    #expect((600_000_000..<660_000_000).contains(found[1].weight_bytes))
    #expect(found.map(\.fits) == [true, true, true, true, true, false])
    let slow = MachineCeilings.Sample(readBandwidth: 10e15, byteOperations: 1e9, floatOperations: 1e15)
    #expect(try DecodingEstimate.all(ceilings: slow, room: 0)[0].tokens_per_second < 1)
  }

  @Test("the machine at hand is measured, and has no fault")
  func here() throws {
    var diagnosis = Diagnosis()
    diagnosis.examineMachine()
    try diagnosis.examineMemory()
    #expect(diagnosis.threads >= 1 && diagnosis.room_bytes > 0 && diagnosis.expected.count == 6)
    #expect((diagnosis.ceilings?.read_bytes ?? 0) > 0)
    #expect(state(diagnosis, "kernels") != nil && state(diagnosis, "read bandwidth") == .ok)
  }
}
