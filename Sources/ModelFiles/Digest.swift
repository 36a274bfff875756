internal import CForetokenCrypto

/// A digest of bytes that come in pieces, by OpenSSL. It finds damage, and names contents; nothing secret depends on it.
@safe package final class Digest {
  package enum Kind: Sendable {
    case sha256
    /// By which git and Hugging Face's hub name small files.
    case sha1
  }

  private let context: OpaquePointer

  package init(_ kind: Kind = .sha256) {
    guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
    unsafe self.context = context
    unsafe EVP_DigestInit_ex(context, kind == .sha256 ? EVP_sha256() : EVP_sha1(), nil)
  }

  deinit { unsafe EVP_MD_CTX_free(context) }

  package func add(_ bytes: RawSpan) {
    _ = unsafe bytes.withUnsafeBytes { unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
  }

  package func add(_ bytes: [UInt8]) { unsafe add(bytes.span.bytes) }

  package func add(_ text: String) { add(Array(text.utf8)) }

  /// The digest of all bytes, in hexadecimal digits; nothing can be added afterwards.
  package func hexadecimal() -> String {
    var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    unsafe EVP_DigestFinal_ex(context, &bytes, &count)
    return bytes.prefix(Int(count)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
