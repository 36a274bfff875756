internal import JSON
internal import Synchronization

/// Keeps responses in memory, for clients that ask for one or go on from it. Of too many, the one that was used longest
/// ago goes first.
package final class ResponseStore: Sendable {
  /// A response with what it answers, as the text of JSON.
  package struct Entry: Sendable, Equatable {
    /// The conversation's items, without the answer's.
    package let input: [UInt8]
    package let response: [UInt8]

    package init(input: [UInt8], response: [UInt8]) {
      self.input = input
      self.response = response
    }

    /// What keeping it costs: the texts, and something for the tables.
    var byteCount: Int { input.count + response.count + 256 }
  }

  private struct State {
    var entries: [String: (entry: Entry, used: UInt64)] = [:]
    var byteCount = 0
    var clock: UInt64 = 0

    mutating func remove(_ id: String) -> Bool {
      guard let (entry, _) = entries.removeValue(forKey: id) else { return false }
      byteCount -= entry.byteCount
      return true
    }
  }

  private let maximumCount: Int
  private let maximumBytes: Int
  private let state = Mutex(State())

  /// - Parameters:
  ///   - maximumCount: most responses; 0 keeps none.
  ///   - maximumBytes: most bytes of all of them.
  package init(maximumCount: Int, maximumBytes: Int) {
    self.maximumCount = maximumCount
    self.maximumBytes = maximumBytes
  }

  /// Bytes of all that is kept.
  package var byteCount: Int { state.withLock(\.byteCount) }
  package var count: Int { state.withLock(\.entries.count) }

  /// Keeps a response; one that is too large by itself is not kept.
  package func keep(_ entry: Entry, as id: String) {
    guard maximumCount > 0, entry.byteCount <= maximumBytes else { return }
    state.withLock { state in
      _ = state.remove(id)
      state.clock += 1
      state.entries[id] = (entry, state.clock)
      state.byteCount += entry.byteCount
      while state.entries.count > maximumCount || state.byteCount > maximumBytes,
        let oldest = state.entries.min(by: { $0.value.used < $1.value.used })
      {
        _ = state.remove(oldest.key)
      }
    }
  }

  /// A response that is kept; it counts as used now.
  package func entry(_ id: String) -> Entry? {
    state.withLock { state in
      guard let entry = state.entries[id]?.entry else { return nil }
      state.clock += 1
      state.entries[id]?.used = state.clock
      return entry
    }
  }

  /// Forgets a response; false when there is none.
  package func remove(_ id: String) -> Bool { state.withLock { $0.remove(id) } }
}
