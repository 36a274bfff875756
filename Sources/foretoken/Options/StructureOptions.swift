internal import ArgumentParser
internal import Decoding
internal import Foundation
internal import Inference
internal import StructuredOutput

/// Flags that say what form the answer must have.
struct StructureOptions: ParsableArguments {
  @Flag(help: "The answer is a JSON object.")
  var jsonMode = false

  @Option(
    help: ArgumentHelp("The answer is JSON of this schema: a file, or the schema itself.", valueName: "schema"),
    completion: .file(extensions: ["json"]))
  var jsonSchema: String?

  func validate() throws {
    if jsonMode, jsonSchema != nil { throw ValidationError("--json-schema includes --json-mode; leave one out.") }
  }

  /// What the flags ask for; `nil` for free text.
  func constraint(for model: ModelSource) throws -> (any TokenConstraint)? {
    guard jsonMode || jsonSchema != nil else { return nil }
    let compiler = try ConstraintCompiler(model.tokenizer, endTokens: model.endOfTextTokens)
    guard let jsonSchema else { return try compiler.jsonObject() }
    return try compiler.jsonSchema(try text(of: jsonSchema))
  }

  /// The schema itself, or what the file of this name holds.
  private func text(of schema: String) throws -> String {
    if schema.drop(while: \.isWhitespace).hasPrefix("{") { return schema }
    do { return String(decoding: try Data(contentsOf: URL(fileURLWithPath: schema)), as: UTF8.self) } catch {
      throw ValidationError("Cannot read the schema '\(schema)': \(error.localizedDescription)")
    }
  }
}
