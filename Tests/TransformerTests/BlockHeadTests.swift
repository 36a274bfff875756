import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing
import Transformer

/// What a DFlash or a DSpark head is to propose: made by `Tests/Golden/blocks.py`.
struct BlockHeadCase: Decodable, Sendable, CustomTestStringConvertible {
  struct Draft: Decodable {
    let tokens: [Int32]
    /// One row for each proposal.
    let logits: [[Float]]
    /// Of DSpark heads: the token before each proposal, and how likely it is to be accepted.
    let previous: [Int32]?
    let confidences: [Double]?
  }

  let target: String
  let taps: [Int]
  /// The target's token of every logit.
  let draft_ids: [Int]?
  let drafts: [Draft]
  var name = ""

  private enum CodingKeys: String, CodingKey { case target, taps, draft_ids, drafts }

  var testDescription: String { name }
  var directory: String { Self.folder + "/" + name }
  var targetDirectory: String { HeadCase.folder + "/" + target }

  static let folder = Places.golden.appendingPathComponent("blocks").path

  static let all: [BlockHeadCase] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().compactMap { name in
      guard let data = FileManager.default.contents(atPath: folder + "/\(name)/expected.json"),
        var found = try? JSONDecoder().decode(BlockHeadCase.self, from: data)
      else { return nil }
      found.name = name
      return found
    }
  }()

  /// Drafts after sequences that are the beginnings of one another.
  var plain: ArraySlice<Draft> { drafts.dropLast(5) }
  /// The draft after eleven tokens with the largest window, and those after parts of it were accepted.
  var base: Draft { drafts[1] }
  var rejections: ArraySlice<Draft> { drafts.suffix(5) }
}

/// A target and its head, side by side.
final class BlockHeadPair {
  let target: CPUModelRunner
  let head: CPUBlockHeadRunner

  /// - Parameter rows: most rows of one pass.
  init(_ example: BlockHeadCase, rows: Int = 64) throws {
    let checkpoint = try Checkpoint(directory: example.targetDirectory)
    let configuration = try ModelConfiguration(directory: example.targetDirectory)
    let pool = WorkerPool(threadCount: 2)
    target = try CPUModelRunner(
      checkpoint: checkpoint, configuration: configuration,
      limits: RunnerLimits(rows: 64, logitRows: 8, positions: 128), pool: pool)
    let files = try #require(try openContainer(at: example.directory).head())
    head = try CPUBlockHeadRunner(
      files, target: (configuration, checkpoint), quantization: .none,
      limits: RunnerLimits(rows: rows, logitRows: 16, positions: 128), pool: pool)
  }

  /// The target reads `tokens` from `first` on, and the head takes over the streams of those that are `kept`.
  func read(_ tokens: ArraySlice<Int32>, at first: Int, blocks: [Int32], kept: Int? = nil) throws {
    var batch = Batch()
    batch.append(tokens, at: first, blocks: blocks, logitCount: 0)
    let result = try target.run(
      Pass(batch, taps: Taps(layers: head.tappedLayers, rows: Array(0..<batch.rowCount))))
    try head.take(
      result.taps, [StreamShare(rows: 0..<(kept ?? batch.rowCount), firstPosition: first, blocks: blocks)])
  }

  /// Appends the rows that propose `count` tokens after `tokens`, the target having computed all but the last.
  func add(_ count: Int, after tokens: [Int32], blocks: [Int32], to batch: inout Batch) throws {
    let slots = try #require(head.slots)
    batch.append(
      tokens.suffix(1) + Array(repeating: slots.maskToken, count: slots.masks(proposing: count)),
      at: tokens.count - 1, blocks: blocks, logitCount: count)
  }

  /// What the head proposes where `draft` says.
  ///
  /// - Returns: the logits of each proposal.
  func propose(_ draft: BlockHeadCase.Draft, blocks: [Int32]) throws -> [[Float]] {
    var batch = Batch()
    try add(draft.logits.count, after: draft.tokens, blocks: blocks, to: &batch)
    return try rows(of: draft, in: head.logits(of: batch), from: 0)
  }

  /// The logits of a draft from row `first` on, corrected where the head corrects them.
  func rows(of draft: BlockHeadCase.Draft, in logits: Activations, from first: Int) throws -> [[Float]] {
    #expect(head.correctsProposals == (draft.previous != nil))
    for (place, previous) in (draft.previous ?? []).enumerated() {
      let found = try head.correct([UncorrectedProposal(row: first + place, previous: previous)])
      let wanted = draft.confidences.flatMap { $0.isEmpty ? nil : $0[place] }
      #expect(abs((found[0] ?? -1) - (wanted ?? -1)) < 1e-3, "confidence of \(place)")
    }
    return (first..<first + draft.logits.count).map { logits.row($0) }
  }
}

@Suite struct BlockHeadTests {
  static let blocks: [Int32] = [5, 2, 0, 3]

  func check(_ found: [[Float]], _ draft: BlockHeadCase.Draft, _ example: BlockHeadCase) {
    #expect(found.count == draft.logits.count)
    for (place, wanted) in draft.logits.enumerated() {
      let ids = example.draft_ids ?? Array(wanted.indices)
      let size = wanted.reduce(1) { max($0, abs($1)) }
      let worst = zip(ids, wanted).reduce(Float(0)) { max($0, abs(found[place][$1.0] - $1.1)) }
      #expect(
        worst <= HeadCase.tolerance * size,
        "after \(draft.tokens.count) tokens, proposal \(place) of \(found.count): \(worst)")
      let others = Set(found[place].indices).subtracting(ids)
      #expect(others.allSatisfy { found[place][$0] == -.infinity })
    }
  }

  @Test("every published form is there")
  func forms() {
    #expect(BlockHeadCase.all.count >= 14)
    #expect(BlockHeadCase.all.count { $0.base.previous != nil } >= 4)
  }

  @Test("proposals are the reference's, however many are wanted", arguments: BlockHeadCase.all)
  func drafts(example: BlockHeadCase) throws {
    #expect(Set(example.plain.map(\.logits.count)).count >= 3)
    for draft in example.plain {
      let (pair, known) = (try BlockHeadPair(example), draft.tokens.count)
      #expect(pair.head.tappedLayers == example.taps)
      try pair.read(draft.tokens.dropLast(), at: 0, blocks: Self.blocks)
      let found = try pair.propose(draft, blocks: Self.blocks)
      check(found, draft, example)
      // Read in pieces, by a head that takes fewer rows at a time; and asked twice.
      let pieces = try BlockHeadPair(example, rows: 8)
      for first in stride(from: 0, to: known - 1, by: 11) {
        try pieces.read(draft.tokens[first..<min(first + 11, known - 1)], at: first, blocks: Self.blocks)
      }
      for _ in 0..<2 {
        let again = try pieces.propose(draft, blocks: Self.blocks)
        #expect(again == found, "not the same bits")
      }
    }
  }

  @Test("after a rejection at every place proposals are as if nothing had been rejected", arguments: BlockHeadCase.all)
  func rejections(example: BlockHeadCase) throws {
    let start = example.base
    #expect(start.tokens.count == 11)
    for (kept, draft) in example.rejections.enumerated() {
      let pair = try BlockHeadPair(example)
      try pair.read(start.tokens.dropLast(), at: 0, blocks: Self.blocks)
      let written = try pair.propose(start, blocks: Self.blocks)
      // The pass that verifies has all proposals; the last known token and those that were accepted stand.
      let proposed = written.map { row in Int32(row.indices.max { row[$0] < row[$1] } ?? 0) }
      #expect(draft.tokens[11..<11 + kept].elementsEqual(proposed.prefix(kept)), "a tie between proposals")
      try pair.read(
        (start.tokens.suffix(1) + proposed)[...], at: start.tokens.count - 1, blocks: Self.blocks, kept: kept + 1)
      check(try pair.propose(draft, blocks: Self.blocks), draft, example)
    }
  }

  @Test("a sequence that shares a block goes on from the streams of the other", arguments: BlockHeadCase.all)
  func sharedBlocks(example: BlockHeadCase) throws {
    let draft = try #require(example.plain.first { $0.tokens.count == 24 })
    let pair = try BlockHeadPair(example)
    // The other sequence goes on otherwise after the shared block, and has proposals in its own.
    let other = draft.tokens.prefix(16) + [3, 9, 4]
    try pair.read(other.dropLast(), at: 0, blocks: [5, 1])
    var batch = Batch()
    try pair.add(3, after: Array(other), blocks: [5, 1], to: &batch)
    _ = try pair.head.logits(of: batch)
    try pair.read(draft.tokens[16..<23], at: 16, blocks: Self.blocks)
    check(try pair.propose(draft, blocks: Self.blocks), draft, example)
  }

  @Test("sequences in one pass do not see one another", arguments: BlockHeadCase.all)
  func together(example: BlockHeadCase) throws {
    let drafts = Array(example.plain.filter { $0.tokens.count != 11 })
    let (pair, blocks) = (try BlockHeadPair(example), [[Int32(5), 2], [7, 1]])
    var batch = Batch()
    for (draft, blocks) in zip(drafts, blocks) {
      try pair.read(draft.tokens.dropLast(), at: 0, blocks: blocks)
      try pair.add(draft.logits.count, after: draft.tokens, blocks: blocks, to: &batch)
    }
    let logits = try pair.head.logits(of: batch)
    var first = 0
    for draft in drafts {
      check(try pair.rows(of: draft, in: logits, from: first), draft, example)
      first += draft.logits.count
    }
  }

  /// A copy of a head with one key of its `config.json` changed; keys of an object within it are merged.
  private func changed(_ key: String, _ value: Any?, of name: String = "flat-plain") throws -> String {
    let place = FileManager.default.temporaryDirectory.appendingPathComponent("block-\(UUID().uuidString)").path
    let source = name.hasPrefix("/") ? name : BlockHeadCase.folder + "/" + name
    try FileManager.default.copyItem(atPath: source, toPath: place)
    let file = URL(fileURLWithPath: place + "/config.json")
    var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    if let nested = value as? [String: Any], var old = json[key] as? [String: Any] {
      old.merge(nested) { $1 }
      json[key] = old
    } else {
      json[key] = value is NSNull ? nil : value
    }
    try JSONSerialization.data(withJSONObject: json).write(to: file)
    return place
  }

  @Test(
    "what is wrong with a head is named",
    arguments: [
      ("flat-plain", "dflash_config", #"{"mask_token_id": 179}"#, "mask_token_id is 179; expected 0 to 178"),
      ("flat-plain", "dflash_config", #"{"mask_token_id": null}"#, "lacks the key 'mask_token_id'"),
      ("flat-plain", "dflash_config", #"{"target_layer_ids": [0, 2, 99]}"#, "entering layers|the target has 7 layers"),
      ("flat-plain", "dflash_config", #"{"target_layer_ids": [0, 2, 6]}"#, "the target has 7 layers"),
      ("flat-plain", "dflash_config", #"{"target_layer_ids": [2, 0, 5]}"#, "each above the one before"),
      ("flat-plain", "dflash_config", #"{"target_layer_ids": [0, 5]}"#, "asks for [32, 64]"),
      ("flat-plain", "dflash_config", #"{"attention_sink_bias": true}"#, "attention_sink_bias true"),
      ("flat-plain", "dflash_config", #"{"attention_value_scale": 0.612}"#, "attention_value_scale 0.612"),
      ("flat-plain", "dflash_config", #"{"use_swa": true}"#, "lacks the key 'sliding_window'"),
      ("flat-plain", "dflash_config", #"{"use_swa": true, "swa_window_size": 0}"#, "swa_window_size is 0"),
      ("flat-plain", "output_multiplier", "0.5", "output_multiplier 0.5"),
      ("flat-plain", "is_neox_style", "false", "is_neox_style false"),
      ("flat-plain", "num_target_layers", "6", "trained on 6 layers"),
      ("flat-plain", "block_size", "1", "block_size is 1; expected 2 to 256"),
      ("flat-plain", "block_size", "null", "lacks the key 'block_size'"),
      ("flat-plain", "num_hidden_layers", "3", "the tensor 'model.layers.2."),
      ("flat-plain", "num_hidden_layers", "1", "which heads of this kind do not have"),
      ("flat-plain", "architectures", #"["DFlash2DraftModel"]"#, "a head of the kind DFlash2DraftModel"),
      (
        "flat-plain", "layer_types", #"["sliding_attention", "full_attention"]"#,
        "sliding_attention without use_sliding_window"
      ),
      ("flat-sliding", "sliding_window", "null", "lacks the key 'sliding_window'"),
      ("flat-sliding", "layer_types", #"["sliding_attention"]"#, "layer_types has 1"),
      ("flat-sliding", "layer_types", #"["wide", "wide", "wide"]"#, "layers of type wide"),
      ("flat-dspark", "markov_head_type", #""gated""#, "markov_head_type 'gated'"),
      ("flat-dspark", "markov_rank", "9", "asks for [179, 9]"),
      ("flat-dspark", "markov_rank", "-1", "markov_rank is -1"),
      ("flat-dspark", "markov_rank", "null", "lacks the key 'markov_rank'"),
      ("flat-dspark", "confidence_head_with_markov", "false", "has shape [1, 40]"),
      ("flat-dspark-nested", "dflash_config", #"{"shift_label": false}"#, "shift_label false"),
      ("flat-dspark-nested", "architectures", #"["DFlashDraftModel"]"#, "unsupported: the tensor 'markov_head."),
      ("speculators-dspark", "markov_rank", "0", "has shape [1, 44]"),
      ("speculators-dspark", "speculators_model_type", "\"dflash\"", "heads of this kind do not have"),
      (
        "speculators-sliding", "transformer_layer_config", #"{"sliding_window": null}"#,
        "lacks the key 'sliding_window'"
      ),
      (
        "speculators-sliding", "transformer_layer_config", #"{"layer_types": ["sliding_attention"]}"#,
        "layer_types has 1"
      ),
      ("speculators-vocabulary", "aux_hidden_state_layer_ids", "null", "lacks the key 'aux_hidden_state_layer_ids'"),
      ("speculators-vocabulary", "draft_vocab_size", "47", "has shape [48, 32]"),
      ("speculators-vocabulary", "speculators_model_type", "\"dflash2\"", "a head of the kind 'dflash2'"),
      ("speculators-vocabulary", "speculators_model_type", "\"dspark\"", "'markov_head.markov_w1.weight' is missing"),
    ])
  func errors(name: String, key: String, value: String, message: String) throws {
    let parsed = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
    let place = try changed(key, parsed, of: name)
    defer { try? FileManager.default.removeItem(atPath: place) }
    let target = try ModelConfiguration(directory: HeadCase.folder + "/target-qwen3")
    let error = #expect(throws: ModelFileError.self) {
      try openContainer(at: place).head()?.check(fits: target)
    }
    let description = error?.description ?? ""
    #expect(message.split(separator: "|").contains { description.contains($0) }, "\(description)")
  }

  @Test("a pickled embedding of the mask token is refused, unless the head has it as a tensor")
  func maskEmbedding() throws {
    let place = try changed("torch_dtype", "float32")
    defer { try? FileManager.default.removeItem(atPath: place) }
    #expect(try openContainer(at: place).head()?.configuration.kind == .dflash)
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: place + "/mask_embedding.pt"))
    let error = #expect(throws: ModelFileError.self) { try openContainer(at: place).head() }
    #expect(error?.description.contains("as the tensor 'mask_embedding' of shape [32]") == true)
    let own = try changed("torch_dtype", "float32", of: "flat-sliding")
    defer { try? FileManager.default.removeItem(atPath: own) }
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: own + "/mask_embedding.pt"))
    #expect(try openContainer(at: own).head()?.hasMaskEmbedding == true)
  }

  @Test("what a flat file says of windows is what rows see")
  func sights() throws {
    func sights(_ changes: [String: String], of name: String = "flat-plain") throws -> [AttentionSight]? {
      var place = try changed("torch_dtype", "float32", of: name)
      for (key, value) in changes.sorted(by: { $0.key < $1.key }) {
        let parsed = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
        place = try changed(key, parsed, of: place)
      }
      defer { try? FileManager.default.removeItem(atPath: place) }
      return try openContainer(at: place).head()?.configuration.block?.sights
    }
    #expect(try sights([:]) == [.block(), .block()])
    #expect(try sights([:], of: "flat-sliding") == [.causal(window: 7), .block(), .causal(window: 7)])
    #expect(try sights(["is_causal": "true"]) == [.causal(), .causal()])
    // The top level speaks first.
    #expect(
      try sights(["is_causal": "false", "dflash_config": #"{"causal": true}"#], of: "flat-sliding")
        == [.near(window: 7), .block(), .near(window: 7)])
    #expect(
      try sights(["dflash_config": #"{"use_swa": true, "swa_window_size": 9}"#]) == [
        .near(window: 9), .near(window: 9),
      ])
    let rule = ["use_sliding_window": "true", "sliding_window": "5", "max_window_layers": "1"]
    #expect(try sights(rule) == [.block(), .causal(window: 5)])
  }

  @Test("a block that does not exist is refused, and nothing is written")
  func places() throws {
    let example = try #require(BlockHeadCase.all.first)
    let pair = try BlockHeadPair(example)
    for blocks: [Int32] in [[5], [5, 9], [5, -1], []] {
      #expect(throws: RunnerError.self) { try pair.read([4, 5, 6], at: 14, blocks: [5, 2], in: blocks) }
    }
  }
}

extension BlockHeadPair {
  /// The head is told that what the target has computed in `blocks` lies in `others`.
  fileprivate func read(_ tokens: [Int32], at first: Int, blocks: [Int32], in others: [Int32]) throws {
    var batch = Batch()
    batch.append(tokens, at: first, blocks: blocks, logitCount: 0)
    let result = try target.run(
      Pass(batch, taps: Taps(layers: head.tappedLayers, rows: Array(0..<batch.rowCount))))
    try head.take(result.taps, [StreamShare(rows: 0..<batch.rowCount, firstPosition: first, blocks: others)])
  }
}
