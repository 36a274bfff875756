/// What remains to be matched after the part under way: a place in a sequence or a loop, and what is below it.
///
/// Immutable and shared between states; equal by content.
final class Frame: Sendable, Hashable {
  let node: Int32
  /// The next part of a sequence, or how many rounds of a loop have begun.
  let position: Int32
  let parent: Frame?
  let depth: Int
  private let digest: Int

  init(node: Int, position: Int32, parent: Frame?) {
    self.node = Int32(node)
    self.position = position
    self.parent = parent
    depth = (parent?.depth ?? 0) + 1
    var hasher = Hasher()
    hasher.combine(node)
    hasher.combine(position)
    hasher.combine(parent?.digest)
    digest = hasher.finalize()
  }

  static func == (left: Frame, right: Frame) -> Bool {
    var (left, right): (Frame?, Frame?) = (left, right)
    while let first = left, let second = right {
      if first === second { return true }
      guard first.digest == second.digest, first.node == second.node, first.position == second.position else {
        return false
      }
      (left, right) = (first.parent, second.parent)
    }
    return left == nil && right == nil
  }

  func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}
