internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Speculation
internal import StructuredOutput

/// Flags that say what form the answer must have.
struct StructureOptions: ParsableArguments {
  @Flag(help: "The answer is a JSON object.")
  var jsonMode = false

  @Option(help: ArgumentHelp("The answer is JSON of this schema: a file, or the schema itself.", valueName: "schema"))
  var jsonSchema: String?

  func validate() throws {
    if jsonMode, jsonSchema != nil { throw ValidationError("--json-schema includes --json-mode; leave one out.") }
  }

  /// What the flags ask for; `nil` for free text.
  func constraint(for model: ModelDirectory) throws -> (any TokenConstraint)? {
    guard jsonMode || jsonSchema != nil else { return nil }
    let compiler = try ConstraintCompiler(model.tokenizer, endTokens: model.endOfTextTokens)
    return try compiler.jsonObject()
  }
}
