/// Text that reaches a container as it is.
///
/// In commands, arguments and values of the environment Kubernetes puts variables in place of `$(NAME)`, secrets among
/// them, and takes `$$` for `$`; so every `$` is written twice.
/// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
struct Verbatim: Codable, Sendable, Equatable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
  let text: String

  init(_ text: String) { self.text = text }
  init(stringLiteral value: String) { text = value }

  init(from decoder: any Decoder) throws {
    text = try decoder.singleValueContainer().decode(String.self).replacing("$$", with: "$")
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text.replacing("$", with: "$$"))
  }
}

extension [String] {
  var verbatim: [Verbatim] { map { Verbatim($0) } }
}
