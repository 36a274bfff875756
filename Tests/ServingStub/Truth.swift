import Foundation
import NIOCore
import Synchronization

/// When the stub's tokens are due.
struct Timing: Sendable {
  let tokens: Int
  let firstMilliseconds: Double
  let gapMilliseconds: Double
  /// Share of the mean by which a time may lie below or above it.
  let spread: Double
  let seed: UInt64

  /// A time around `mean`, for token `index` of answer `answer`.
  func delay(_ mean: Double, answer: UInt64, index: Int) -> TimeAmount {
    var mixed = seed &+ answer &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(index) &* 0xD1B5_4A32_D192_ED03
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    let share = Double((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53
    return .nanoseconds(Int64(mean * (1 + spread * (2 * share - 1)) * 1e6))
  }
}

/// What the stub did: times in seconds.
final class Truth: Sendable {
  private struct Notes: Encodable {
    var ttfts: [Double] = []
    var itls: [Double] = []
    var most_streams = 0
    var cpu_seconds = 0.0
  }

  private let notes = Mutex(Notes())
  private let running = Mutex(0)

  /// An answer begins.
  func begin() -> UInt64 {
    let now = running.withLock { running in
      running += 1
      return running
    }
    return notes.withLock { notes in
      notes.most_streams = max(notes.most_streams, now)
      return UInt64(notes.ttfts.count + now)
    }
  }

  /// An answer ended; its request had arrived at `received`, and its tokens were sent at `sent`.
  func end(received: NIODeadline, sent: [NIODeadline]) {
    running.withLock { $0 -= 1 }
    notes.withLock { notes in
      if let first = sent.first { notes.ttfts.append((first - received).seconds) }
      for (next, previous) in zip(sent.dropFirst(), sent) { notes.itls.append((next - previous).seconds) }
    }
  }

  /// All of it, as JSON.
  var json: [UInt8] {
    var usage = rusage()
    #if canImport(Darwin)
    getrusage(RUSAGE_SELF, &usage)
    #else
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    #endif
    let seconds = [usage.ru_utime, usage.ru_stime].map { Double($0.tv_sec) + Double($0.tv_usec) / 1e6 }
    return notes.withLock { notes in
      notes.cpu_seconds = seconds.reduce(0, +)
      return (try? JSONEncoder().encode(notes)).map(Array.init) ?? []
    }
  }
}

extension TimeAmount {
  fileprivate var seconds: Double { Double(nanoseconds) / 1e9 }
}
