internal import Decoding
internal import Synchronization

/// The log-probabilities of prompts, which the first answer to each is told, for all answers to it.
final class SharedPromptScores: Sendable {
  private enum Entry {
    case awaited([CheckedContinuation<[TokenLogprobs]?, Never>])
    case known([TokenLogprobs]?)
  }

  private let entries = Mutex<[Int: Entry]>([:])

  /// Those of prompt `prompt`, once they are known; `nil` when there are none.
  func scores(of prompt: Int) async -> [TokenLogprobs]? {
    await withCheckedContinuation { continuation in
      let known: [TokenLogprobs]?? = entries.withLock { entries in
        switch entries[prompt] {
        case .known(let scores): return .some(scores)
        case .awaited(let waiting): entries[prompt] = .awaited(waiting + [continuation])
        case nil: entries[prompt] = .awaited([continuation])
        }
        return nil
      }
      if let known { continuation.resume(returning: known) }
    }
  }

  /// Makes those of prompt `prompt` known; the first call counts.
  func set(_ scores: [TokenLogprobs]?, of prompt: Int) {
    let waiting: [CheckedContinuation<[TokenLogprobs]?, Never>] = entries.withLock { entries in
      if case .known? = entries[prompt] { return [] }
      defer { entries[prompt] = .known(scores) }
      if case .awaited(let waiting)? = entries[prompt] { return waiting }
      return []
    }
    for continuation in waiting { continuation.resume(returning: scores) }
  }
}
