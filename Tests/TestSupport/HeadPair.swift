internal import Foundation
internal import Tensor
public import Transformer

/// What a head is to draft: made by `Tests/Golden/heads.py`, or by `mtp.py`, `recurrent.py` and `recurrent_experts.py` for
/// a head that its target carries.
public struct HeadCase: Decodable, Sendable, CustomStringConvertible {
  /// Known tokens, and how they go on.
  public struct Chain: Decodable, Sendable {
    /// What is read, and the likeliest tokens after it.
    public let tokens, drafted: [Int32]
    /// Of every step, by token of the head.
    public let logits: [[Float]]
  }

  /// The target's directory, as seen from the heads'.
  public let target: String
  /// Layers whose streams are read.
  public let taps: [Int]
  /// The target's token of every logit.
  public let draft_ids: [Int]?
  /// After prompts, and after a rejection at every place.
  public let chains, rejections: [Chain]
  /// What tests call it.
  public var name = ""

  private enum CodingKeys: String, CodingKey { case target, taps, draft_ids, chains, rejections }

  /// The name.
  public var description: String { name }
  /// The head.
  public var directory: String { Self.folder + "/" + name }
  /// The target.
  public var targetDirectory: String { Self.folder + "/" + target }

  /// Where they are.
  public static let folder = Places.golden.appendingPathComponent("heads").path
  /// How far logits may be from the reference's, as a share of the largest where that is above 1. Both have keys and values
  /// in half precision (`Tests/Golden/halves.py`); a value in the middle between two halves may go either way, which alone
  /// parts two references by up to 4e-4.
  public static let tolerance: Float = 1e-3

  /// Every published form.
  public static let all = cases(
    names.map { ($0, "expected.json") } + ["mtp", "moe", "next"].map { ("../recurrent/\($0)", "drafted.json") })
  /// Those on targets without recurrent layers, for runners that keep keys and values in single precision.
  public static let inSinglePrecision = cases(names.map { ($0, "single.json") })

  private static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()

  private static func cases(_ files: [(name: String, file: String)]) -> [HeadCase] {
    files.compactMap { name, file in
      guard let data = FileManager.default.contents(atPath: folder + "/\(name)/\(file)"),
        var found = try? JSONDecoder().decode(HeadCase.self, from: data)
      else { return nil }
      found.name = name
      return found
    }
  }
}

/// A target and its head, side by side.
public final class HeadPair {
  /// What the head goes on from.
  public let target: any ModelRunner
  /// The head.
  public let head: any HeadRunner

  /// A target and a head on it.
  public init(target: any ModelRunner, head: any HeadRunner) { (self.target, self.head) = (target, head) }

  /// The target reads `tokens` from `first` on, and the head takes over the streams.
  public func read(_ tokens: ArraySlice<Int32>, at first: Int, blocks: [Int32]) throws {
    // The state after a position, where the target has such, lies in the slot of its number.
    let states =
      target.capacity.stateSlots > 0
      ? StatePlan(
        start: first > 0 ? Int32(first - 1) : nil,
        kept: (0..<tokens.count).map { StatePlan.Kept(row: $0, slot: Int32(first + $0)) }) : nil
    var batch = Batch()
    batch.append(tokens, at: first, blocks: blocks, logitCount: 0, states: states)
    let result = try target.run(
      Pass(batch, taps: Taps(layers: head.tappedLayers, rows: Array(0..<batch.rowCount))))
    try head.take(
      result.taps, [StreamShare(rows: 0..<batch.rowCount, firstPosition: first, blocks: blocks)])
  }

  /// The head reads `tokens` from `first` on and goes on from there.
  ///
  /// - Parameter drafted: what it goes on with; by default its own likeliest tokens.
  /// - Returns: the logits of each of five steps.
  public func draft(
    _ tokens: ArraySlice<Int32>, at first: Int, blocks: [Int32], following drafted: [Int32]? = nil
  ) throws -> [[Float]] {
    var (rows, next, position): ([[Float]], ArraySlice<Int32>, Int) = ([], tokens, first)
    for step in 0..<5 {
      var batch = Batch()
      batch.append(next, at: position, blocks: blocks, logitCount: 1)
      let logits = try head.logits(of: batch)
      rows.append(logits.row(0))
      position += next.count
      let given = drafted.flatMap { step < $0.count ? $0[step] : nil }
      next = [given ?? Int32(logits.argmax(row: 0))]
    }
    return rows
  }
}
