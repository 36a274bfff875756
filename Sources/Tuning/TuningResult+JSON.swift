package import Foundation
internal import JSON
package import LoadTesting

extension TuningResult {
  /// Reads a document that `encoded` wrote.
  ///
  /// - Parameter name: the file's name, for errors.
  /// - Throws: `ResultFileError` for what is not such a document, or one of another schema.
  package init(json: Data, name: String) throws(ResultFileError) {
    struct Header: Decodable { let schema: String? }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let found = (try? decoder.decode(Header.self, from: json))?.schema
    guard found == Self.currentSchema else {
      throw ResultFileError(
        "'\(name)': the schema is \(found.map { "'\($0)'" } ?? "missing"); expected '\(Self.currentSchema)', as `foretoken tune` writes it"
      )
    }
    if let document = try? JSONValue(parsing: Array(json)) { try OutsideNumbers.check(document, name: name) }
    do { self = try decoder.decode(Self.self, from: json) } catch {
      throw ResultFileError("'\(name)' is not a tuning result: \(ResultFileError.summary(of: error))")
    }
  }

  /// The document as JSON, keys sorted.
  package func encoded() throws -> Data {
    let encoder = JSONEncoder.sorted(indented: true)
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return try encoder.encode(self) + Data("\n".utf8)
  }
}
