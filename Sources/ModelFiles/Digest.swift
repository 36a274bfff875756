internal import CForetokenDigests

/// A digest of bytes that come in pieces. It finds damage, and names contents; nothing secret depends on it.
package struct Digest {
  package enum Kind: Sendable {
    case sha256
    /// By which git and Hugging Face's hub name small files.
    case sha1
  }

  private let kind: Kind
  private var state = ft_digest()

  package init(_ kind: Kind = .sha256) {
    self.kind = kind
    switch kind {
    case .sha256: unsafe ft_sha256_begin(&state)
    case .sha1: unsafe ft_sha1_begin(&state)
    }
  }

  package mutating func add(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { bytes in
      switch kind {
      case .sha256: unsafe ft_sha256_add(&state, bytes.baseAddress, bytes.count)
      case .sha1: unsafe ft_sha1_add(&state, bytes.baseAddress, bytes.count)
      }
    }
  }

  package mutating func add(_ bytes: [UInt8]) { unsafe add(bytes.span.bytes) }

  package mutating func add(_ text: String) { add(Array(text.utf8)) }

  /// The digest of all bytes so far, in hexadecimal digits.
  package var hexadecimal: String {
    var state = state
    var bytes = [UInt8](repeating: 0, count: kind == .sha256 ? 32 : 20)
    switch kind {
    case .sha256: unsafe ft_sha256_end(&state, &bytes)
    case .sha1: unsafe ft_sha1_end(&state, &bytes)
    }
    return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
