internal import Hummingbird
internal import NIOCore

/// What is known about one request beside its head and body.
struct ServerRequestContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The connection that it came through.
  let channel: any Channel
  /// Names the request in logs and answers; a client may choose it.
  var requestID: String

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
    requestID = Self.randomID()
  }

  /// 32 digits that nobody can guess.
  static func randomID() -> String {
    var generator = SystemRandomNumberGenerator()
    return hexadecimal(generator.next()) + hexadecimal(generator.next())
  }

  /// Whether a client's id can go into logs and headers as it is.
  static func isAcceptable(id: String) -> Bool {
    (1...128).contains(id.utf8.count)
      && id.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  private static func hexadecimal(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
