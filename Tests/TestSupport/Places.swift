public import Foundation

/// Where the repository keeps what tests read.
public enum Places {
  /// The repository's root.
  public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  /// The shipped target.
  public static let target = root.appendingPathComponent("Models/foretoken-reference-target").path
  /// The shipped draft.
  public static let draft = root.appendingPathComponent("Models/foretoken-reference-draft").path
  /// The shipped EAGLE-3 head on the target.
  public static let head = root.appendingPathComponent("Models/foretoken-reference-eagle3").path
  /// The shipped EAGLE-3 head on SmolLM2-135M-Instruct.
  public static let smolHead = root.appendingPathComponent(
    "Models/foretoken-smollm2-eagle3/foretoken-smollm2-eagle3.Q5_1.gguf"
  ).path
  /// The shipped mixture of experts.
  public static let experts = root.appendingPathComponent(
    "Models/foretoken-reference-experts/foretoken-reference-experts.Q8_0.gguf"
  ).path
  /// Reference values from `transformers` and `tokenizers`.
  public static let golden = root.appendingPathComponent("Tests/Golden")
}

/// A directory that goes when the last reference to it does.
public final class TemporaryDirectory: Sendable {
  /// Where it is.
  public let path: String

  /// Makes the directory.
  public init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("foretoken-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file into it.
  public func write(_ data: Data, to name: String) throws {
    try data.write(to: URL(fileURLWithPath: path).appendingPathComponent(name))
  }
}

/// A seeded source of random numbers (SplitMix64), the same on every machine.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A generator; equal seeds give equal numbers.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// A number from the standard normal distribution.
  public mutating func normal() -> Float {
    let first = Double.random(in: Double.leastNonzeroMagnitude...1, using: &self)
    let second = Double.random(in: 0..<1, using: &self)
    return Float((-2 * log(first)).squareRoot() * cos(2 * .pi * second))
  }
}
