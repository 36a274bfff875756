internal import ArgumentParser
internal import Foundation

/// Flags that say where a result goes. Names are those of `vllm bench serve`.
struct SavingOptions: ParsableArguments {
  @Flag(help: "Write the result as a JSON file.")
  var saveResult = false

  @Option(help: "Folder of the file.")
  var resultDir: String?

  @Option(help: "Name of the file (default: from label, rate, concurrency, model and time).")
  var resultFilename: String?

  @Flag(help: "Print the result as JSON on standard output.")
  var json = false

  /// Writes `value` if it was asked for, under `name` unless the user named another.
  func save(_ value: some Encodable, name: @autoclosure () -> String) throws {
    guard saveResult || resultFilename != nil || resultDir != nil else { return }
    let folder = URL(fileURLWithPath: resultDir ?? ".")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appendingPathComponent(resultFilename ?? name())
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try OutputFile.write(try encoder.encode(value), to: file.path(percentEncoded: false))
    note("Result written to \(file.path(percentEncoded: false))")
  }
}
