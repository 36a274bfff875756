/// Compares secrets without telling by its time how much of one was right.
package enum SecretComparison {
  /// Whether `given` is one of `secrets`; the time depends only on lengths.
  package static func matches(_ given: some Collection<UInt8>, anyOf secrets: [[UInt8]]) -> Bool {
    // Every secret is compared to its end, whatever the result so far.
    secrets.reduce(false) { found, secret in areEqual(given, secret) || found }
  }

  private static func areEqual(_ given: some Collection<UInt8>, _ secret: [UInt8]) -> Bool {
    var difference = given.count ^ secret.count
    for (place, byte) in given.enumerated() {
      difference |= Int(byte ^ (secret.isEmpty ? 0xFF : secret[place % secret.count]))
    }
    return difference == 0
  }
}
