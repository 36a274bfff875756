/// What remains to be matched after the part under way: a place in a sequence or a loop, and what is below it.
///
/// Immutable and shared between states; equal by content. Matches that stand at one place and differ only in what is
/// below share one frame with several parents (a graph-structured stack: Tomita 1987, "An efficient augmented-context-free
/// parsing algorithm"), so that a text that can be read in twenty ways on each level is not followed in twenty to the
/// power of its depth.
final class Frame: Sendable, Hashable {
  let node: Int32
  /// The next part of a sequence, or how many rounds of a loop have begun.
  let position: Int32
  /// The frames that may be below; `nil` for the bottom.
  let parents: [Frame?]
  /// Frames up to here, of the highest stack.
  let depth: Int
  private let digest: Digest

  /// Stands for the content: two frames of one digest are equal, but for one in 2^128 that are not. Hashes begin with a
  /// number of the process, so that nobody can look for two.
  private struct Digest: Hashable {
    let high, low: Int
  }

  init(node: Int32, position: Int32, parents: [Frame?]) {
    self.node = node
    self.position = position
    self.parents = parents
    depth = (parents.map { $0?.depth ?? 0 }.max() ?? 0) + 1
    func hash(_ first: UInt8) -> Int {
      var hasher = Hasher()
      hasher.combine(first)
      hasher.combine(node)
      hasher.combine(position)
      for parent in parents { hasher.combine(parent?.digest) }
      return hasher.finalize()
    }
    digest = Digest(high: hash(0), low: hash(1))
  }

  /// One frame for both, which stand at one place.
  func merged(with other: Frame) -> Frame {
    if self == other { return self }
    var known = Set(parents)
    return Frame(node: node, position: position, parents: parents + other.parents.filter { known.insert($0).inserted })
  }

  static func == (left: Frame, right: Frame) -> Bool { left === right || left.digest == right.digest }

  func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}
