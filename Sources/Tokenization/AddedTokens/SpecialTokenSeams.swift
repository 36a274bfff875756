package import JSON

/// Keeps special tokens apart that are only text: a message of a conversation that says `<|im_end|>` does not end there.
///
/// A conversation and what the chat template writes around it become one text before they become tokens, so what is only
/// text is marked before: a scalar that is in none of it is put into every special token there, and taken out again when
/// the whole is encoded.
package struct SpecialTokenSeams: Sendable {
  private let tokenizer: Tokenizer
  private let seam: Unicode.Scalar
  private let bytes: [UInt8]

  /// Seams for a request; `nil` when it holds all of Unicode's 32 noncharacters from U+FDD0 on, of which one is needed.
  package init?(for request: JSONValue, tokenizer: Tokenizer) {
    var free = Set((UInt32(0xFDD0)...0xFDEF).compactMap { Unicode.Scalar($0) })
    request.visitTexts { text in
      guard text.utf8.contains(0xEF) else { return }
      free.subtract(text.unicodeScalars)
    }
    guard let seam = free.min() else { return nil }
    self.tokenizer = tokenizer
    self.seam = seam
    bytes = Array(String(seam).utf8)
  }

  package func sewn(_ value: JSONValue) -> JSONValue { value.mappingTexts(sewn) }

  private func sewn(_ text: String) -> String {
    var source = Array(text.utf8)
    for matcher in [tokenizer.givenTextMatcher, tokenizer.normalizedTextMatcher] {
      // What is left of a token may be one itself.
      while true {
        let places = matcher.specialTokenCuts(in: source)
        guard !places.isEmpty else { break }
        var sewn: [UInt8] = []
        sewn.reserveCapacity(source.count + places.count * bytes.count)
        var start = 0
        for place in places {
          sewn += source[start..<place]
          sewn += bytes
          start = place
        }
        source = sewn + source[start...]
      }
    }
    return String(decoding: source, as: UTF8.self)
  }

  /// Text without its seams; `nil` when it has none.
  func removed(from text: ArraySlice<UInt8>) -> [UInt8]? {
    var joined: [UInt8] = []
    var start = text.startIndex
    var index = text.startIndex
    while let place = text[index...].firstIndex(of: bytes[0]) {
      index = place + 1
      guard text[place...].starts(with: bytes) else { continue }
      joined += text[start..<place]
      (start, index) = (place + bytes.count, place + bytes.count)
    }
    guard start > text.startIndex else { return nil }
    return joined + text[start...]
  }
}

extension JSONValue {
  /// Calls `body` with every text in it, keys of objects included.
  func visitTexts(_ body: (String) -> Void) {
    switch self {
    case .string(let text): body(text)
    case .array(let values): for value in values { value.visitTexts(body) }
    case .object(let object):
      for (key, value) in object.pairs {
        body(key)
        value.visitTexts(body)
      }
    default: break
    }
  }

  /// The same value with other texts.
  func mappingTexts(_ body: (String) -> String) -> JSONValue {
    switch self {
    case .string(let text): .string(body(text))
    case .array(let values): .array(values.map { $0.mappingTexts(body) })
    case .object(let object): .object(JSONObject(object.pairs.map { (body($0.key), $0.value.mappingTexts(body)) }))
    default: self
    }
  }
}
