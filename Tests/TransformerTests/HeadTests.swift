import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

/// A target and its head, side by side, on the processor.
extension HeadPair {
  convenience init(_ example: HeadCase, directory: String? = nil, target place: String? = nil) throws {
    let checkpoint = try Checkpoint(directory: place ?? example.targetDirectory)
    let configuration = try ModelConfiguration(directory: place ?? example.targetDirectory)
    var (limits, pool) = (RunnerLimits(rows: 64, logitRows: 8, positions: 128), WorkerPool(threadCount: 2))
    limits.stateSlots = limits.positions
    let container = try openContainer(at: directory ?? example.directory)
    let files = try #require(try container.head() ?? container.carriedHead())
    self.init(
      target: try CPUModelRunner(checkpoint: checkpoint, configuration: configuration, limits: limits, pool: pool),
      head: try CPUHeadRunner(
        files, target: (configuration, checkpoint), quantization: .none, limits: limits, pool: pool))
  }
}

@Suite struct HeadTests {
  static let blocks: [Int32] = [5, 2, 0, 3]

  func check(_ found: [[Float]], _ chain: HeadCase.Chain, _ example: HeadCase) {
    for (step, wanted) in chain.logits.enumerated() {
      let ids = example.draft_ids ?? Array(wanted.indices)
      let size = wanted.reduce(1) { max($0, abs($1)) }
      let worst = zip(ids, wanted).reduce(Float(0)) { max($0, abs(found[step][$1.0] - $1.1)) }
      #expect(worst <= HeadCase.tolerance * size, "after \(chain.tokens.count) tokens, step \(step): \(worst)")
      let others = Set(found[step].indices).subtracting(ids)
      #expect(others.allSatisfy { found[step][$0] == -.infinity })
      // A step whose likeliest token is not clear goes on otherwise.
      guard found[step].indices.max(by: { found[step][$0] < found[step][$1] }) == Int(chain.drafted[step]) else {
        return
      }
    }
  }

  @Test("every published form is there")
  func forms() {
    #expect(HeadCase.all.count >= 15)
    #expect(HeadCase.all.count { $0.target == $0.name } >= 5)
  }

  @Test("drafts are the reference's, step by step", arguments: HeadCase.all)
  func chains(example: HeadCase) throws {
    for chain in example.chains {
      let (pair, known) = (try HeadPair(example), chain.tokens.count)
      #expect(pair.head.tappedLayers == example.taps)
      try pair.read(chain.tokens.dropLast(), at: 0, blocks: Self.blocks)
      check(try pair.draft(chain.tokens[...], at: 0, blocks: Self.blocks), chain, example)
      // Read in pieces, by the target and by the head.
      let pieces = try HeadPair(example)
      for first in stride(from: 0, to: known - 1, by: 3) {
        try pieces.read(chain.tokens[first..<min(first + 3, known - 1)], at: first, blocks: Self.blocks)
      }
      var batch = Batch()
      batch.append(chain.tokens.prefix(2), at: 0, blocks: Self.blocks, logitCount: 0)
      _ = try pieces.head.run(Pass(batch))
      let found = try pieces.draft(chain.tokens[2...], at: 2, blocks: Self.blocks)
      #expect(try found == pair.draft(chain.tokens[2...], at: 2, blocks: Self.blocks), "not the same bits")
      check(found, chain, example)
    }
  }

  @Test("the GGUF spelling of a head drafts as the head does")
  func gguf() throws {
    let example = try #require(HeadCase.all.first { $0.name == "specforge-plain" })
    for chain in example.chains {
      let pair = try HeadPair(example, directory: example.directory + "/head.gguf")
      #expect(pair.head.tappedLayers == example.taps)
      try pair.read(chain.tokens.dropLast(), at: 0, blocks: Self.blocks)
      check(try pair.draft(chain.tokens[...], at: 0, blocks: Self.blocks), chain, example)
    }
  }

  @Test(
    "a GGUF file with an MTP layer is the model, and the layer drafts as it does elsewhere",
    arguments: [("mtp-nextn", 3), ("../recurrent/mtp", 4), ("../recurrent/moe", 4), ("../recurrent/next", 4)])
  func carriedInGGUF(name: String, layers: Int) throws {
    let example = try #require(HeadCase.all.first { $0.name == name })
    let file = example.directory + "/model.gguf"
    #expect(try ModelConfiguration(directory: file).layerCount == layers)
    for chain in example.chains {
      let pair = try HeadPair(example, directory: file, target: file)
      #expect(pair.head.tappedLayers == example.taps)
      try pair.read(chain.tokens.dropLast(), at: 0, blocks: Self.blocks)
      check(try pair.draft(chain.tokens[...], at: 0, blocks: Self.blocks), chain, example)
    }
  }

  @Test("after a rejection at every place drafts are as if nothing had been rejected", arguments: HeadCase.all)
  func rejections(example: HeadCase) throws {
    #expect(example.rejections.count == 5)
    let start = try #require(example.chains.first { $0.tokens.count == 11 })
    for chain in example.rejections {
      let pair = try HeadPair(example)
      try pair.read(start.tokens.dropLast(), at: 0, blocks: Self.blocks)
      _ = try pair.draft(start.tokens[...], at: 0, blocks: Self.blocks)
      let kept = start.tokens.count - 1
      try pair.read(chain.tokens[kept..<chain.tokens.count - 1], at: kept, blocks: Self.blocks)
      check(try pair.draft(chain.tokens[(kept + 1)...], at: kept + 1, blocks: Self.blocks), chain, example)
    }
  }

  @Test("a sequence that shares a block goes on from the streams of the other", arguments: HeadCase.all)
  func sharedBlocks(example: HeadCase) throws {
    let chain = try #require(example.chains.first { $0.tokens.count == 24 })
    let pair = try HeadPair(example)
    // The other sequence goes on otherwise after the shared block, and has drafted in its own.
    let other = chain.tokens.prefix(16) + [3, 9, 4]
    try pair.read(other.dropLast(), at: 0, blocks: [5, 1])
    _ = try pair.draft(other, at: 0, blocks: [5, 1])
    try pair.read(chain.tokens[16..<23], at: 16, blocks: Self.blocks)
    check(try pair.draft(chain.tokens[16...], at: 16, blocks: Self.blocks), chain, example)
  }

  @Test("a head of another target is refused with what does not fit")
  func misfits() throws {
    let narrow = try #require(HeadCase.all.first { $0.name == "specforge-plain" })
    let head = try #require(try openContainer(at: narrow.directory).head())
    let other = try ModelConfiguration(directory: Places.target)
    let error = #expect(throws: ModelFileError.self) { try head.check(fits: other) }
    #expect(error?.description.contains("streams of 32 channels, and the target's have 256") == true)
  }

  @Test("the order of the list of layers does not matter")
  func order() throws {
    let place = try damaged("eagle_aux_hidden_state_layer_ids", [6, 1, 4])
    defer { try? FileManager.default.removeItem(atPath: place) }
    #expect(try openContainer(at: place).head()?.configuration.tappedLayers == [1, 4, 6])
  }

  /// A copy of a head with one key or one tensor changed.
  private func damaged(_ key: String, _ value: Any?) throws -> String {
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("head-\(UUID().uuidString)").path
    try FileManager.default.copyItem(atPath: HeadCase.folder + "/specforge-plain", toPath: place)
    let file = URL(fileURLWithPath: place + "/config.json")
    var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    if let nested = value as? [String: Any], var old = json[key] as? [String: Any] {
      old.merge(nested) { $1 }
      json[key] = old
    } else {
      json[key] = value
    }
    try JSONSerialization.data(withJSONObject: json).write(to: file)
    return place
  }

  @Test(
    "what is wrong with a head is named",
    arguments: [
      ("draft_vocab_size", "1000000", "draft_vocab_size is 1000000; expected 1 to 179"),
      ("draft_vocab_size", "40", "has shape [48, 32]; the head's configuration asks for [40, 32]"),
      ("num_attention_heads", "3", "num_attention_heads 3 is not a multiple"),
      ("num_attention_heads", "8", "asks for [128, 64]"),
      ("fc_norm", "true", "the tensor 'fc_norm.0.weight' is missing"),
      ("eagle_aux_hidden_state_layer_ids", "[3, -1, 2]", "expected 1 to 64 numbers of layers"),
      ("eagle_aux_hidden_state_layer_ids", "[1, 1, 2]", "asks for [32, 64]"),
      ("eagle_aux_hidden_state_layer_ids", "[1, 2, 99]", "the target has 7 layers"),
      ("eagle_aux_hidden_state_layer_ids", "[1, 2]", "asks for [32, 64]"),
      ("hidden_act", "\"gelu\"", "hidden_act gelu"),
    ])
  func errors(key: String, value: String, message: String) throws {
    let parsed = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
    let place = try damaged(key, parsed)
    defer { try? FileManager.default.removeItem(atPath: place) }
    let target = try ModelConfiguration(directory: HeadCase.folder + "/target-qwen3")
    let error = #expect(throws: ModelFileError.self) {
      try openContainer(at: place).head()?.check(fits: target)
    }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }
}
