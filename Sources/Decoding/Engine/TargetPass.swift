public import Tensor
public import Tokenization

/// A pass that the target has run, as a proposer sees it.
public struct TargetPass {
  /// One request's rows of a pass.
  public struct Share: Sendable, Equatable {
    /// Whose rows.
    public let request: RequestID
    /// The rows' tokens, consecutive positions of the sequence.
    public let tokens: [TokenID]
    /// Position of the first of them.
    public let firstPosition: Int
    /// How many of the sequence's tokens are the prompt's.
    public let promptCount: Int
    /// How many of the first rows are those of tokens that stand; the others are rejected proposals.
    public let kept: Int
    /// The token after the last row that stands, where it is known.
    public let next: TokenID?
    /// The target's KV blocks of the sequence: position `p` lives in `blocks[p / blockSize]`.
    public let blocks: [Int32]
    /// Which rows of `taps` are these.
    public let rows: Range<Int>
  }

  /// The requests' rows, in row order.
  public let shares: [Share]
  /// The layers whose residual streams were tapped, ascending.
  let layers: [Int]
  /// Their streams of all rows, `[rows, hidden]` each.
  let streams: [Activations]

  /// The residual streams of all rows as they enter each of `layers`, `[rows, hidden]`, until the next pass; these must be
  /// among the proposer's `taps`.
  public func taps(_ layers: [Int]) -> [Activations] {
    layers.compactMap { layer in self.layers.firstIndex(of: layer).map { streams[$0] } }
  }
}
