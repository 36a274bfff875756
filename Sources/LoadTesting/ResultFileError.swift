internal import JSON

/// A file of results that cannot be read.
package struct ResultFileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence: the file, what was found, what was expected.
  package let description: String

  package init(_ description: String) { self.description = description }

  /// What is wrong with a JSON document, by the place where decoding stopped.
  package static func summary(of error: any Error) -> String {
    (error as? DecodingError)?.sentence ?? "\(error)"
  }
}
