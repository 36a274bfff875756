/// Reads the `normalizer` of a tokenizer file: NFC, nothing, or a sequence of these.
enum NormalizerReader {
  static func read(_ scanner: inout JSONScanner, location: String = "normalizer") throws(TokenizerError) -> Normalizer {
    if scanner.consumeNull() { return .none }
    var type = ""
    var members: Normalizer?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "type": type = try scanner.readString()
      case "normalizers":
        var result = Normalizer.none
        try scanner.beginArray()
        var index = 0
        while try scanner.nextElement() {
          if try read(&scanner, location: "\(location).normalizers[\(index)]") == .nfc { result = .nfc }
          index += 1
        }
        members = result
      default: try scanner.skipValue()
      }
    }
    switch type {
    case "NFC": return .nfc
    case "Sequence":
      guard let members else {
        throw .malformed(
          file: scanner.file, location: location, found: "a Sequence without 'normalizers'", expected: "its members")
      }
      return members
    default:
      throw .unsupported(
        file: scanner.file, location: location, found: "of type '\(type)'", supported: "NFC, Sequence and null")
    }
  }
}

/// Reads the `decoder` of a tokenizer file: ByteLevel, alone or in a sequence of one.
enum DecoderReader {
  static func readsByteLevel(_ scanner: inout JSONScanner, location: String) throws(TokenizerError) -> Bool {
    if scanner.consumeNull() { return false }
    var type = ""
    var memberCount = 0
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "type": type = try scanner.readString()
      case "decoders":
        try scanner.beginArray()
        while try scanner.nextElement() {
          if try readsByteLevel(&scanner, location: "\(location).decoders[\(memberCount)]") { memberCount += 1 }
        }
      default: try scanner.skipValue()
      }
    }
    if type == "ByteLevel" || (type == "Sequence" && memberCount == 1) { return true }
    throw .unsupported(file: scanner.file, location: location, found: "of type '\(type)'", supported: "ByteLevel")
  }
}

/// Reads the `post_processor` of a tokenizer file: ByteLevel (which concerns offsets only), TemplateProcessing, a sequence.
enum PostProcessorReader {
  static func read(_ scanner: inout JSONScanner, location: String) throws(TokenizerError) -> PostProcessor {
    if scanner.consumeNull() { return PostProcessor() }
    var type = ""
    var members: [PostProcessor] = []
    var items: [TemplateItem] = []
    var idsByName: [String: [TokenID]] = [:]
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "type": type = try scanner.readString()
      case "processors":
        try scanner.beginArray()
        while try scanner.nextElement() {
          members.append(try read(&scanner, location: "\(location).processors[\(members.count)]"))
        }
      case "single":
        try scanner.beginArray()
        while try scanner.nextElement() {
          items.append(try readItem(&scanner, location: "\(location).single[\(items.count)]"))
        }
      case "special_tokens":
        try scanner.beginObject()
        while let name = try scanner.nextKey() {
          idsByName[name] = try readIDs(&scanner, location: "\(location).special_tokens.\(name)")
        }
      default: try scanner.skipValue()
      }
    }
    switch type {
    case "ByteLevel": return PostProcessor()
    case "TemplateProcessing":
      return try template(items, idsByName, file: scanner.file, location: location)
    case "Sequence":
      // Each member works on what the one before it made.
      return members.reduce(PostProcessor()) { inner, outer in
        PostProcessor(prefix: outer.prefix + inner.prefix, suffix: inner.suffix + outer.suffix)
      }
    default:
      throw .unsupported(
        file: scanner.file, location: location, found: "of type '\(type)'",
        supported: "ByteLevel, TemplateProcessing, Sequence and null")
    }
  }

  private enum TemplateItem {
    case text
    case special(String)
  }

  private static func readItem(
    _ scanner: inout JSONScanner, location: String
  ) throws(TokenizerError) -> TemplateItem {
    var item: TemplateItem?
    try scanner.beginObject()
    while let kind = try scanner.nextKey() {
      var id = ""
      try scanner.beginObject()
      while let key = try scanner.nextKey() {
        if key == "id" { id = try scanner.readString() } else { try scanner.skipValue() }
      }
      switch kind {
      case "Sequence" where id == "A": item = .text
      case "SpecialToken": item = .special(id)
      default: item = nil
      }
    }
    guard let item else {
      throw .malformed(
        file: scanner.file, location: location, found: "neither Sequence A nor a SpecialToken", expected: "one of these"
      )
    }
    return item
  }

  private static func readIDs(_ scanner: inout JSONScanner, location: String) throws(TokenizerError) -> [TokenID] {
    var ids: [TokenID] = []
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      guard key == "ids" else {
        try scanner.skipValue()
        continue
      }
      try scanner.beginArray()
      while try scanner.nextElement() { ids.append(try TokenizerFile.readID(&scanner, location: location)) }
    }
    return ids
  }

  private static func template(
    _ items: [TemplateItem], _ idsByName: [String: [TokenID]], file: String, location: String
  ) throws(TokenizerError) -> PostProcessor {
    var result = PostProcessor()
    var hasText = false
    for item in items {
      switch item {
      case .text:
        guard !hasText else {
          throw .unsupported(
            file: file, location: "\(location).single", found: "a template that repeats its text",
            supported: "one Sequence A")
        }
        hasText = true
      case .special(let name):
        guard let ids = idsByName[name] else {
          throw .malformed(
            file: file, location: "\(location).special_tokens", found: "without '\(name)'",
            expected: "every token that the template names")
        }
        if hasText { result.suffix += ids } else { result.prefix += ids }
      }
    }
    guard hasText else {
      throw .malformed(
        file: file, location: "\(location).single", found: "without Sequence A", expected: "a place for the text")
    }
    return result
  }
}
