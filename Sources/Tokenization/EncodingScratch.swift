internal import Synchronization

/// The buffers of one encoding at a time, and the words it has met.
struct EncodingScratch: Sendable {
  var merger = WordMerger()
  var pieceMerger = PieceMerger()
  var cache = WordCache()
  let workspace = RegularExpression.Workspace()
}

/// Buffers waiting for the next encoding, so that a word met in one text is known in the next.
final class ScratchPool: Sendable {
  /// More than the encodings that run at the same time.
  private static let capacity = 8

  private let idle = Mutex<[EncodingScratch]>([])

  func take() -> EncodingScratch { idle.withLock { $0.popLast() } ?? EncodingScratch() }

  func giveBack(_ scratch: EncodingScratch) {
    idle.withLock { idle in
      if idle.count < Self.capacity { idle.append(scratch) }
    }
  }
}
