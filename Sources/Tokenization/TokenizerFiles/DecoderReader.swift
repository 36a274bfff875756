/// Reads the `decoder` of a tokenizer file.
struct DecoderReader {
  private var isByteLevel = false
  private var replacements: [Replacement] = []
  private var readsBytes = false
  private var isFused = false
  private var start = DecodedStart.whole
  private var count = 0

  var result: (pieces: PieceDecoder, start: DecodedStart) {
    (isByteLevel ? .byteLevel : .texts(replacements: replacements, readsBytes: readsBytes), start)
  }

  mutating func read(_ part: FilePart) throws(TokenizerError) {
    let type = try part.type()
    if type == "Sequence", let members = try part["decoders"]?.elements() {
      for member in members { try read(member) }
      return
    }
    defer { count += 1 }
    guard !isByteLevel, count == 0 || type != "ByteLevel" && type != "Metaspace" else {
      throw part.unsupported(found: "of type '\(type)' beside others", supported: "ByteLevel alone, Metaspace first")
    }
    switch type {
    case "ByteLevel": isByteLevel = true
    case "Metaspace":
      let metaspace = try part.metaspace()
      replacements = [Replacement(pattern: .text(metaspace.character), content: [UInt8(ascii: " ")])]
      if metaspace.prepends != .never { start = .firstTokenWithout(character: metaspace.character) }
    case "Replace":
      guard !readsBytes, !isFused else {
        throw part.unsupported(found: "a Replace after ByteFallback or Fuse", supported: "Replace before them")
      }
      replacements.append(try part.replacement())
    case "ByteFallback":
      guard !isFused else {
        throw part.unsupported(found: "a ByteFallback after Fuse", supported: "ByteFallback before it")
      }
      readsBytes = true
    case "Fuse": isFused = true
    case "Strip": try readStrip(part)
    default:
      throw part.unsupported(
        found: "of type '\(type)'", supported: "ByteLevel, Metaspace, Replace, ByteFallback, Fuse, Strip and Sequence")
    }
  }

  private mutating func readStrip(_ part: FilePart) throws(TokenizerError) {
    let character = try part["content"]?.string() ?? ""
    guard character.unicodeScalars.count == 1 else {
      throw part.malformed(found: "with the content '\(character)'", expected: "one character")
    }
    let counts = (try part["start"]?.count() ?? 0, try part["stop"]?.count() ?? 0)
    guard isFused, counts.1 == 0, start == .whole else {
      throw part.unsupported(
        found: "a Strip of \(counts.1) characters at the end\(isFused ? "" : ", without Fuse before it")",
        supported: "one Strip at the beginning, after Fuse")
    }
    if counts.0 > 0 { start = .without(character: Array(character.utf8), count: counts.0) }
  }
}
