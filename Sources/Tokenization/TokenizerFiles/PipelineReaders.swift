internal import JSON

extension FilePart {
  /// The `normalizer` of a tokenizer file: NFC, Prepend, Replace, nothing, or a sequence of these.
  func normalizer() throws(TokenizerError) -> Normalizer {
    if value == .null { return .none }
    let type = try type()
    switch type {
    case "NFC": return .nfc
    case "Prepend":
      guard let text = try self["prepend"]?.string() else {
        throw malformed(found: "a Prepend without 'prepend'", expected: "a text")
      }
      return Normalizer(steps: [.prepend(Array(text.utf8))])
    case "Replace": return Normalizer(steps: [.replacement(try replacement())])
    case "Sequence":
      guard let members = try self["normalizers"]?.elements() else {
        throw malformed(found: "a Sequence without 'normalizers'", expected: "its members")
      }
      var result = Normalizer.none
      for member in members { result.steps += try member.normalizer().steps }
      return result
    default: throw unsupported(found: "of type '\(type)'", supported: "NFC, Prepend, Replace, Sequence and null")
    }
  }

  /// A Replace, of a normalizer or a decoder.
  func replacement() throws(TokenizerError) -> Replacement {
    guard let pattern = self["pattern"] else { throw malformed(found: "without 'pattern'", expected: "a pattern") }
    let content = Array((try self["content"]?.string() ?? "").utf8)
    if let text = try pattern["String"]?.string() {
      return Replacement(pattern: .text(Array(text.utf8)), content: content)
    }
    guard let expression = try pattern["Regex"]?.string() else {
      throw pattern.malformed(found: "neither 'Regex' nor 'String'", expected: "one of the two")
    }
    return Replacement(pattern: .expression(try self.expression(expression, isLiteral: false)), content: content)
  }

  /// The `decoder` of a tokenizer file: ByteLevel; or Metaspace, Replace, ByteFallback, Fuse and Strip in the order in
  /// which SentencePiece's tokenizers have them. `nil` where there is none.
  func decoder() throws(TokenizerError) -> (pieces: PieceDecoder, start: DecodedStart)? {
    if value == .null { return nil }
    var reader = DecoderReader()
    try reader.read(self)
    return reader.result
  }

  /// The `post_processor` of a tokenizer file: ByteLevel (which concerns offsets only), TemplateProcessing, a sequence.
  func postProcessor() throws(TokenizerError) -> PostProcessor {
    if value == .null { return PostProcessor() }
    let type = try type()
    switch type {
    case "ByteLevel": return PostProcessor()
    case "TemplateProcessing": return try template()
    case "Sequence":
      // Each member works on what the one before it made.
      var result = PostProcessor()
      for member in try self["processors"]?.elements() ?? [] {
        let outer = try member.postProcessor()
        result = PostProcessor(prefix: outer.prefix + result.prefix, suffix: result.suffix + outer.suffix)
      }
      return result
    default:
      throw unsupported(found: "of type '\(type)'", supported: "ByteLevel, TemplateProcessing, Sequence and null")
    }
  }

  private func template() throws(TokenizerError) -> PostProcessor {
    var result = PostProcessor()
    var hasText = false
    let place = FilePart(value: self["single"]?.value ?? [], file: file, location: "\(location).single")
    for item in try place.elements() {
      if try item["Sequence"]?["id"]?.string() == "A" {
        guard !hasText else {
          throw place.unsupported(found: "a template that repeats its text", supported: "one Sequence A")
        }
        hasText = true
      } else if let token = item["SpecialToken"] {
        let name = try token["id"]?.string() ?? ""
        guard let special = self["special_tokens"]?[name] else {
          throw TokenizerError.malformed(
            file: file, location: "\(location).special_tokens", found: "without '\(name)'",
            expected: "every token that the template names")
        }
        var ids: [TokenID] = []
        for id in try special["ids"]?.elements() ?? [] { ids.append(try id.id()) }
        if hasText { result.suffix += ids } else { result.prefix += ids }
      } else {
        throw item.malformed(found: "neither Sequence A nor a SpecialToken", expected: "one of these")
      }
    }
    guard hasText else { throw place.malformed(found: "without Sequence A", expected: "a place for the text") }
    return result
  }
}
