/// A model as commands name it: ORG/NAME, or ORG/NAME:QUANTIZATION for one GGUF file of several.
package struct ModelReference: Sendable, Equatable {
  /// ORG/NAME.
  package let model: String
  /// What the GGUF file's name has in it, such as `Q4_K_M`.
  package let quantization: String?

  package init(_ text: String) {
    let colon = text.lastIndex(of: ":")
    model = colon.map { String(text[..<$0]) } ?? text
    quantization = colon.map { String(text[text.index(after: $0)...]) }
  }

  /// Whether `file` is a GGUF file of that quantization, whatever the case of the letters.
  static func isGGUF(_ file: String, of quantization: String) -> Bool {
    GGUFFile.isNamed(file) && file.lowercased().contains(quantization.lowercased())
  }
}
