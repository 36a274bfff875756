internal import Foundation
internal import ModelFiles
package import Tensor

/// What an engine will take, in bytes, compared with the process's limits before it is taken: a server that starts and is
/// ended under load by the system's OOM killer helps nobody.
package struct MemoryNeed: Sendable, Equatable {
  /// Packed weights, of the target and the draft.
  package var weights: Int
  /// Files of the models, which are mapped.
  package var files: Int
  /// Keys and values of the draft.
  package var draftCache: Int
  /// One KV block of the target, over all layers.
  package var blockBytes: Int
  /// Blocks of the target that were asked for, and those that one sequence of full length takes.
  package var blocks, leastBlocks: Int

  package init(weights: Int, files: Int, draftCache: Int, blockBytes: Int, blocks: Int, leastBlocks: Int) {
    (self.weights, self.files, self.draftCache) = (weights, files, draftCache)
    (self.blockBytes, self.blocks, self.leastBlocks) = (blockBytes, blocks, leastBlocks)
  }

  /// The program, its threads, tokenizers, requests and answers.
  package static let overhead = 300 << 20
  /// What is reserved beside and never touched, where that counts: stacks of threads, arenas.
  package static let reserved = 1 << 30

  /// The blocks that fit, `blocks` where all do.
  ///
  /// - Throws: `EngineConfigurationError` with the sums when not even one sequence's do.
  package func fittingBlocks(
    _ limits: [MemoryLimit]
  ) throws(EngineConfigurationError) -> (blocks: Int, limit: MemoryLimit?) {
    var found: (blocks: Int, limit: MemoryLimit?) = (blocks, nil)
    for limit in limits {
      let fixed = weights + draftCache + Self.overhead + (limit.countsMappings ? files + Self.reserved : 0)
      let fitting = max(0, limit.bytes - fixed) / max(blockBytes, 1)
      if fitting < found.blocks { found = (fitting, limit) }
    }
    if let limit = found.limit, found.blocks < leastBlocks {
      let fixed = weights + draftCache + Self.overhead + (limit.countsMappings ? files + Self.reserved : 0)
      throw EngineConfigurationError(
        description:
          "\(limit.name) is \(Self.text(limit.bytes)); weights and the program take about \(Self.text(fixed)) and the keys and values of one sequence \(Self.text(Self.bytes(leastBlocks, of: blockBytes))): raise the limit, or lower --max-model-len, or choose --quantization int8 or int4, or --kv-cache-dtype int8"
      )
    }
    return found
  }

  /// Bytes of `blocks`, at most `KVStorage.mostBytes`: a model's shape and the limits that were asked for may give more
  /// than 64 bits hold.
  package static func bytes(_ blocks: Int, of blockBytes: Int) -> Int {
    let (bytes, overflow) = blocks.multipliedReportingOverflow(by: blockBytes)
    return overflow ? KVStorage.mostBytes : min(bytes, KVStorage.mostBytes)
  }

  /// The line that says that there is less room for keys and values than was asked for.
  package func notice(_ fitting: Int, _ limit: MemoryLimit) -> String {
    "\(limit.name) is \(Self.text(limit.bytes)): the KV cache gets \(Self.text(Self.bytes(fitting, of: blockBytes))) instead of \(Self.text(Self.bytes(blocks, of: blockBytes))), so that fewer long requests run at a time"
  }

  private static func text(_ bytes: Int) -> String { String(format: "%.2f GiB", Double(bytes) / 1_073_741_824) }
}

extension ModelSource {
  /// Bytes of the packed weights.
  func weightBytes(_ quantization: Quantization) -> Int {
    checkpoint.packedByteCount(configuration: configuration, quantization: quantization)
  }

  /// Bytes of the files of the weights.
  var fileBytes: Int { checkpoint.bytesByType.values.reduce(0, +) }
}
