internal import CForetokenCrypto

/// A digest of bytes that come in pieces, by OpenSSL. It finds damage, and names contents; nothing secret depends on it.
@safe package final class Digest {
  package enum Kind: Sendable {
    case sha256
    /// By which git and Hugging Face's hub name small files.
    case sha1
  }

  private let context: OpaquePointer
  private let library: OpaquePointer?

  package init(_ kind: Kind = .sha256) {
    guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
    unsafe self.context = context
    // A library context of our own reads no configuration file: what users turn off for TLS does not concern names of
    // contents, and a digest that failed would give different contents one name.
    let library = unsafe OSSL_LIB_CTX_new()
    let method = unsafe EVP_MD_fetch(library, kind == .sha256 ? "SHA2-256" : "SHA1", nil)
    let isReady = unsafe EVP_DigestInit_ex(context, method, nil) == 1
    precondition(isReady, "OpenSSL does not compute digests")
    unsafe EVP_MD_free(method)
    unsafe self.library = library
  }

  deinit {
    unsafe EVP_MD_CTX_free(context)
    unsafe OSSL_LIB_CTX_free(library)
  }

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
