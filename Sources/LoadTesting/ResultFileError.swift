/// A file of results that cannot be read.
package struct ResultFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence: the file, what was found, what was expected.
  package let description: String

  package init(_ description: String) { self.description = description }

  /// What is wrong with a JSON document, by the place where decoding stopped.
  package static func summary(of error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    func place(_ path: [any CodingKey]) -> String {
      let names = path.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
      return names.isEmpty ? "at the top" : "at '\(names.hasPrefix(".") ? String(names.dropFirst()) : names)'"
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "the key '\(key.stringValue)' is missing \(place(context.codingPath))"
    case .typeMismatch(let type, let context):
      return "\(place(context.codingPath)) expected \(type)"
    case .valueNotFound(let type, let context):
      return "\(place(context.codingPath)) expected \(type), found null"
    case .dataCorrupted(let context):
      return "\(place(context.codingPath)) \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }
}
