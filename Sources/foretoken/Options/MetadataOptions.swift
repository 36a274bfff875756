internal import ArgumentParser

/// Notes that a result keeps. The flag is that of `vllm bench serve`.
struct MetadataOptions: ParsableArguments {
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Notes to keep in the result.", valueName: "key=value"))
  var metadata: [String] = []

  func validate() throws { _ = try notes() }

  func notes() throws -> [String: String] {
    var notes: [String: String] = [:]
    for text in metadata {
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw ValidationError("--metadata '\(text)' is not of the form KEY=VALUE.")
      }
      notes[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    return notes
  }
}
