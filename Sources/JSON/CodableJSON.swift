package import Foundation

extension JSONEncoder {
  /// The form of everything that this program writes: keys sorted, slashes as they are; on one line, or indented for people.
  package static func sorted(indented: Bool = false) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if indented { encoder.outputFormatting.insert(.prettyPrinted) }
    return encoder
  }
}

extension DecodingError {
  /// What was wrong, and where, for a person.
  package var sentence: String {
    func place(_ context: Context, _ key: (any CodingKey)? = nil) -> String {
      let path = context.codingPath + (key.map { [$0] } ?? [])
      return path.isEmpty ? "the document" : "'" + path.map(\.stringValue).joined(separator: ".") + "'"
    }
    return switch self {
    case .keyNotFound(let key, let context): "lacks the key \(place(context, key))"
    case .typeMismatch(let type, let context): "\(place(context)) is not of the expected type \(type)"
    case .valueNotFound(let type, let context): "\(place(context)) is null; expected \(type)"
    case .dataCorrupted(let context):
      context.codingPath.isEmpty ? "is not valid JSON" : "\(place(context)): \(context.debugDescription)"
    @unknown default: "is not valid JSON"
    }
  }
}
