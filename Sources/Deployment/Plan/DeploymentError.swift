internal import Foundation

/// A deployment that cannot be made from what was given.
package struct DeploymentError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// A deployment that was worked out and does not hold: what is wrong, and the sums that show it.
package struct DeploymentRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  /// Each names what was found, what was expected, and what to do instead.
  package let problems: [String]
  /// The sums, as far as they could be done.
  package let arithmetic: [ArithmeticLine]

  package var description: String { problems.joined(separator: "\n") }
}

/// One line of the sums: "devices", "16 devices × 4 logical cores = 64".
package struct ArithmeticLine: Sendable, Equatable, Codable {
  package let topic: String
  package let text: String
}

/// A short name for contents: FNV-1a, 64 bits, in hexadecimal. It tells versions apart and protects nothing.
package func digest(_ bytes: some Sequence<UInt8>) -> String {
  let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  let text = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - text.count) + text
}
