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
}

/// What names of GGUF files say by convention.
package enum GGUFName {
  /// Whether a file holds a model: no projector of images, and no later part of several.
  package static func isModel(_ file: String) -> Bool { isModelPart(file) && partNumber(file) ?? "00001" == "00001" }

  /// Whether a file holds a model or a part of one.
  static func isModelPart(_ file: String) -> Bool {
    GGUFFile.isNamed(file) && !(file.split(separator: "/").last ?? "").hasPrefix("mmproj")
  }

  /// The quantization that a name ends with, such as `Q4_K_M` or `UD-Q4_K_XL`; `nil` when it ends otherwise.
  package static func quantization(of file: String) -> String? {
    let pattern = #/[-._/]((?:UD-)?(?:I?Q\d(?:_\w+)?|TQ\d_\d|MXFP4(?:_\w+)?|BF16|F16|F32))(?:-\d{5}-of-\d{5})?\.gguf$/#
    return ("/" + file).firstMatch(of: pattern.ignoresCase()).map { $0.1.uppercased() }
  }

  /// Of `files`, all parts of those of a quantization, whatever the case of the letters: where it is the one that a name
  /// ends with, only those, and else all with it in their names.
  package static func files(_ files: [String], of quantization: String) -> [String] {
    let models = files.filter(isModelPart)
    let exact = models.filter { self.quantization(of: $0) == quantization.uppercased() }
    return exact.isEmpty ? models.filter { $0.lowercased().contains(quantization.lowercased()) } : exact
  }

  private static func partNumber(_ file: String) -> String? {
    file.lowercased().firstMatch(of: #/-(\d{5})-of-\d{5}\.gguf$/#).map { String($0.1) }
  }
}
