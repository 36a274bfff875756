/// Why a directory's tokenizer could not be loaded. Each case reads as a sentence that names the file.
public enum TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file is missing, is not a regular file, or could not be read.
  case unreadable(file: String, reason: String)
  /// The file is not JSON.
  case invalidJSON(file: String, reason: String)
  /// The file's content is not what the format says: `location` is a path such as `model.vocab`.
  case malformed(file: String, location: String, found: String, expected: String)
  /// The file is well-formed and asks for something that byte-level BPE tokenization here does not do.
  case unsupported(file: String, location: String, found: String, supported: String)

  /// A sentence that names the file, what was found and what was expected.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "\(file) cannot be read: \(reason)."
    case .invalidJSON(let file, let reason):
      "\(file) is not a usable tokenizer file: \(reason)."
    case .malformed(let file, let location, let found, let expected):
      "\(file) is not a usable tokenizer file: \(location) is \(found), expected \(expected)."
    case .unsupported(let file, let location, let found, let supported):
      "\(file) needs a feature that is not supported: \(location) is \(found); supported: \(supported)."
    }
  }
}
