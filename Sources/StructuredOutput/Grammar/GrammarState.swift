/// All the ways in which a match may stand after some text.
struct GrammarState: Sendable, Hashable {
  /// A terminal under way.
  struct Configuration: Sendable, Hashable {
    let terminal: Int32
    let state: Int32
    /// Characters that a string of bounded length still needs, and how many it has room for.
    let needed: Int32
    let room: Int32
    let parent: Frame?
  }

  var configurations: [Configuration] = []
  /// Whether the text may end here.
  var accepts = false

  /// After the end of the text.
  static let ended = GrammarState(configurations: [], accepts: true)

  var isDead: Bool { configurations.isEmpty && !accepts }
}
