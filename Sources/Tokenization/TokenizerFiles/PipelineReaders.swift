internal import JSON

extension FilePart {
  /// The `normalizer` of a tokenizer file: NFC, nothing, or a sequence of these.
  func normalizer() throws(TokenizerError) -> Normalizer {
    if value == .null { return .none }
    let type = try type()
    switch type {
    case "NFC": return .nfc
    case "Sequence":
      guard let members = try self["normalizers"]?.elements() else {
        throw malformed(found: "a Sequence without 'normalizers'", expected: "its members")
      }
      var result = Normalizer.none
      for member in members where try member.normalizer() == .nfc { result = .nfc }
      return result
    default: throw unsupported(found: "of type '\(type)'", supported: "NFC, Sequence and null")
    }
  }

  /// Whether this is the `decoder` of a byte-level tokenizer file: ByteLevel, alone or in a sequence of one.
  func decodesBytes() throws(TokenizerError) -> Bool {
    if value == .null { return false }
    let type = try type()
    if type == "ByteLevel" { return true }
    var count = 0
    for member in try self["decoders"]?.elements() ?? [] where try member.decodesBytes() { count += 1 }
    if type == "Sequence", count == 1 { return true }
    throw unsupported(found: "of type '\(type)'", supported: "ByteLevel")
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
