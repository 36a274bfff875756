public import Tensor

/// A model that was trained on one target, and goes on from the target's residual streams: a head.
///
/// It has as many blocks as the target, and keeps in them what it makes of the stream of every position, so that whoever
/// holds the target's block has the head's too. There are two kinds.
///
/// - Heads that draft token by token (`slots` is `nil`) keep, beside their keys and values, the stream of every position:
///   what the row of the token after it goes on from. A row whose logits are wanted leaves its own output as the stream of
///   its position, for a guess after it to go on from, until the target has computed that position.
/// - Heads that propose several tokens in one pass (`slots`) make keys and values of the streams. A pass brings the last
///   known token and masks after it; what it writes into blocks is of use to that pass alone.
public protocol HeadRunner: ModelRunner {
  /// Layers of the target whose streams it reads (`Taps.layers`).
  var tappedLayers: [Int] { get }
  /// How a pass proposes several tokens; `nil` where it proposes one.
  var slots: ProposalSlots? { get }
  /// Takes over what the target computed.
  ///
  /// - Parameters:
  ///   - streams: of the target's pass, by tapped layer.
  ///   - shares: the rows to take, and where their positions lie.
  /// - Throws: `RunnerError` for a block that does not exist.
  func take(_ streams: [Activations], _ shares: [StreamShare]) throws(RunnerError)
  /// Whether a proposal depends on the token that is chosen before it (`correct`).
  var correctsProposals: Bool { get }
  /// Corrects the logits that the last pass gave of proposals by the tokens before them: those of one sequence in order,
  /// each once.
  ///
  /// - Returns: how likely each is to be accepted if those before it are, where the head says so.
  /// - Throws: `RunnerError` when the head's file was changed meanwhile.
  func correct(_ proposals: [UncorrectedProposal]) throws(RunnerError) -> [Double?]
}

extension HeadRunner {
  /// Heads correct nothing, unless they say otherwise.
  public var correctsProposals: Bool { false }

  /// Does nothing.
  public func correct(_ proposals: [UncorrectedProposal]) throws(RunnerError) -> [Double?] {
    proposals.map { _ in nil }
  }
}

/// The rows of a pass that proposes several tokens: known tokens, and masks in the places of the next ones.
public struct ProposalSlots: Sendable, Equatable {
  /// What stands in the places of unknown tokens.
  public let maskToken: Int32
  /// Most tokens to propose at once after one known token.
  public let most: Int
  /// Whether a row proposes the token after its own; else masks propose what they stand for.
  public let predictsNext: Bool

  /// Slots by name.
  public init(maskToken: Int32, most: Int, predictsNext: Bool = false) {
    (self.maskToken, self.most, self.predictsNext) = (maskToken, most, predictsNext)
  }

  /// Rows besides known tokens in a pass that proposes `count` tokens.
  public func masks(proposing count: Int) -> Int { predictsNext ? count - 1 : count }
}

/// Rows of tapped streams: consecutive positions of one sequence.
public struct StreamShare: Sendable, Equatable {
  /// Which rows.
  public let rows: Range<Int>
  /// Position of the first of them.
  public let firstPosition: Int
  /// The sequence's blocks: position `p` lives in `blocks[p / blockSize]`.
  public let blocks: [Int32]

  /// Rows by name.
  public init(rows: Range<Int>, firstPosition: Int, blocks: [Int32]) {
    (self.rows, self.firstPosition, self.blocks) = (rows, firstPosition, blocks)
  }
}

extension StreamShare {
  /// Checks that the blocks of all positions are among `count`.
  package func check(blockCount count: Int, blockSize: Int) throws(RunnerError) {
    guard !rows.isEmpty else { return }
    let needed = (firstPosition + rows.count + blockSize - 1) / blockSize
    guard firstPosition >= 0, needed <= blocks.count,
      blocks[firstPosition / blockSize..<needed].allSatisfy({ $0 >= 0 && $0 < count })
    else {
      throw RunnerError(
        description:
          "positions from \(firstPosition) to \(firstPosition + rows.count - 1) lie outside the \(count) blocks that the head has"
      )
    }
  }
}
