import Foundation
import Inference
import Tensor
import Testing

@Suite struct MemoryNeedTests {
  private let need = MemoryNeed(
    weights: 2 << 30, files: 4 << 30, draftCache: 1 << 30, blockBytes: 1 << 20, blocks: 2_048, leastBlocks: 256)

  private func limit(_ bytes: Int, countsMappings: Bool = false) -> MemoryLimit {
    MemoryLimit(name: "the test's limit", bytes: bytes, countsMappings: countsMappings)
  }

  @Test("without a limit, or below it, everything is as asked for")
  func roomy() throws {
    #expect(try need.fittingBlocks([]).blocks == 2_048)
    let found = try need.fittingBlocks([limit(16 << 30)])
    #expect(found.blocks == 2_048 && found.limit == nil)
  }

  @Test("a limit that leaves room for fewer keys and values makes the cache smaller, and says so")
  func smaller() throws {
    let found = try need.fittingBlocks([limit(16 << 30), limit(4 << 30)])
    let limit = try #require(found.limit)
    #expect(found.blocks == ((4 << 30) - (3 << 30) - MemoryNeed.overhead) >> 20 && limit.bytes == 4 << 30)
    let notice = need.notice(found.blocks, limit)
    #expect(notice.contains("the test's limit") && notice.contains("2.00 GiB") && notice.contains("4.00 GiB"))
  }

  @Test("a limit that leaves no room for one sequence is refused with the sums")
  func refused() {
    for bytes in [0, 1 << 20, 3 << 30, (3 << 30) + MemoryNeed.overhead + (255 << 20)] {
      let error = #expect(throws: EngineConfigurationError.self) { try need.fittingBlocks([limit(bytes)]) }
      #expect(error?.description.contains("3.29 GiB") == true && error?.description.contains("0.25 GiB") == true)
    }
  }

  @Test("a refusal names the most exact quantization that fits, and raising only what can be raised")
  func advice() {
    func advice(_ other: [Quantization: Int], _ limit: MemoryLimit) -> String {
      var need = need
      need.otherWeights = other
      let error = #expect(throws: EngineConfigurationError.self) { try need.fittingBlocks([limit]) }
      return error?.description ?? ""
    }
    let tight = limit(3 << 30)
    #expect(advice([.int8: 1 << 30, .int4: 1 << 29], tight).contains("choose --quantization int8, which fits"))
    #expect(advice([.int8: 2 << 30, .int4: 1 << 29], tight).contains("choose --quantization int4, which fits"))
    #expect(advice([.int8: 2 << 30, .int4: 2 << 30], tight).contains("take a smaller model"))
    #expect(advice([:], tight).contains("choose --quantization int8 or int4"))
    #expect(advice([:], tight).hasSuffix("or raise the limit"))
    let machine = MemoryLimit(name: "the machine's memory", bytes: 3 << 30, countsMappings: false, canBeRaised: false)
    #expect(!advice([:], machine).contains("raise the limit"))
  }

  @Test("sizes that no machine has are taken for the largest that can be added up")
  func absurd() {
    #expect(MemoryNeed.bytes(256, of: 1 << 20) == 256 << 20)
    for (blocks, size) in [(1 << 28, 1 << 36), (Int.max, Int.max), (1 << 40, 1 << 21)] {
      #expect(MemoryNeed.bytes(blocks, of: size) == KVStorage.mostBytes)
    }
    var need = need
    (need.blocks, need.leastBlocks, need.blockBytes) = (1 << 28, 1 << 28, 1 << 36)
    let error = #expect(throws: EngineConfigurationError.self) { try need.fittingBlocks([limit(8 << 30)]) }
    #expect(error?.description.contains("1073741824.00 GiB") == true)
    #expect(need.notice(0, limit(8 << 30)).contains("1073741824.00 GiB"))
  }

  @Test("mapped files count where the limit is on address space")
  func addressSpace() throws {
    let bytes = (7 << 30) + MemoryNeed.overhead + MemoryNeed.reserved + (300 << 20)
    #expect(try need.fittingBlocks([limit(bytes, countsMappings: true)]).blocks == 300)
    #expect(try need.fittingBlocks([limit(bytes)]).blocks == 2_048)
  }
}
