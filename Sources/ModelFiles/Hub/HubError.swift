/// The hub did not give what was asked for.
package struct HubError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence: what was asked, what came back, what helps.
  package let description: String

  init(_ description: String) { self.description = description }
}
