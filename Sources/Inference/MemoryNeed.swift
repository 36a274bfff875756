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
  /// Recurrent states of the target.
  package var states = 0
  /// One KV block of the target, over all layers.
  package var blockBytes: Int
  /// Blocks of the target that were asked for, and those that one sequence of full length takes.
  package var blocks, leastBlocks: Int
  /// What the weights would take in other quantizations, for the advice that goes with a refusal.
  package var otherWeights: [Quantization: Int] = [:]

  package init(weights: Int, files: Int, draftCache: Int, blockBytes: Int, blocks: Int, leastBlocks: Int) {
    (self.weights, self.files, self.draftCache) = (weights, files, draftCache)
    (self.blockBytes, self.blocks, self.leastBlocks) = (blockBytes, blocks, leastBlocks)
  }

  /// The program, its threads, tokenizers, requests and answers.
  package static let overhead = 300 << 20
  /// What is reserved beside and never touched, where that counts: stacks of threads, arenas.
  package static let reserved = 1 << 30

  /// Bytes that weights can have on this machine now, beside the program and a gigabyte of keys and values; `nil` where the
  /// system does not say.
  package static var room: Int? {
    let bounds = [MachineMemory()?.available].compactMap(\.self) + MemoryLimit.all().map(\.bytes)
    return bounds.min().map { max(0, $0 - overhead - 1 << 30) }
  }

  /// What is taken beside the target's keys and values, as `limit` counts it.
  package func fixed(_ limit: MemoryLimit) -> Int {
    weights + draftCache + states + Self.overhead + (limit.countsMappings ? files + Self.reserved : 0)
  }

  /// The blocks that fit, `blocks` where all do.
  ///
  /// - Throws: `EngineConfigurationError` with the sums when not even one sequence's do.
  package func fittingBlocks(
    _ limits: [MemoryLimit]
  ) throws(EngineConfigurationError) -> (blocks: Int, limit: MemoryLimit?) {
    var found: (blocks: Int, limit: MemoryLimit?) = (blocks, nil)
    for limit in limits {
      let fitting = max(0, limit.bytes - fixed(limit)) / max(blockBytes, 1)
      if fitting < found.blocks { found = (fitting, limit) }
    }
    if let limit = found.limit, found.blocks < leastBlocks {
      let taking = states > 0 ? "weights, recurrent states and the program" : "weights and the program"
      throw EngineConfigurationError(
        description:
          "\(limit.name) is \(Self.text(limit.bytes)); \(taking) take about \(Self.text(fixed(limit))) and the keys and values of one sequence \(Self.text(Self.bytes(leastBlocks, of: blockBytes))): \(advice(limits, limit))"
      )
    }
    return found
  }

  /// What to do where one sequence does not fit: first the quantization that does, if one does.
  private func advice(_ limits: [MemoryLimit], _ limit: MemoryLimit) -> String {
    // From the most exact to the smallest.
    let fitting = [Quantization.int8, .int4].first { quantization in
      guard let bytes = otherWeights[quantization] else { return false }
      var need = self
      (need.weights, need.otherWeights) = (bytes, [:])
      return (try? need.fittingBlocks(limits)) != nil
    }
    let quantization =
      fitting.map { "choose --quantization \($0.rawValue), which fits" }
      ?? (otherWeights.isEmpty
        ? "choose --quantization int8 or int4" : "take a smaller model, as no --quantization of this one fits")
    let raising = limit.canBeRaised ? ", or raise the limit" : ""
    return "\(quantization), or lower --max-model-len, or choose --kv-cache-dtype int8\(raising)"
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
