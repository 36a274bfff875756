internal import ArgumentParser
internal import Foundation
internal import JSON
internal import Presentation

/// Flags that say where a result goes. Names are those of `vllm bench serve`.
struct SavingOptions: ParsableArguments {
  @Flag(help: "Write the result as a JSON file.")
  var saveResult = false

  @Option(help: "Folder of the file.", completion: .directory)
  var resultDir: String?

  @Option(
    help: "Name of the file (default: from label, rate, concurrency, model and time).",
    completion: .file(extensions: ["json"]))
  var resultFilename: String?

  @Flag(help: "Print the result as JSON on standard output.")
  var json = false

  private var isWanted: Bool { saveResult || resultFilename != nil || resultDir != nil }

  /// Where a result of this name goes; a name that is a whole path is that place.
  private func place(_ name: String) -> URL {
    name.hasPrefix("/")
      ? URL(fileURLWithPath: name) : URL(fileURLWithPath: resultDir ?? ".").appendingPathComponent(name)
  }

  /// Makes the folder and tries to write there, so that nothing is measured that cannot be kept.
  func prepare() throws {
    guard isWanted else { return }
    try OutputFile.check(place(resultFilename ?? ".foretoken-result").path(percentEncoded: false))
  }

  /// Writes `value` if it was asked for, under `name` unless the user named another; where that fails, to standard output.
  func save(_ value: some Encodable, name: @autoclosure () -> String) throws {
    guard isWanted else { return }
    let file = place(resultFilename ?? name())
    let data = try JSONEncoder.sorted(indented: true).encode(value)
    guard try OutputFile.keeps(data, in: file.path(percentEncoded: false)) else {
      if !json { emit(String(decoding: data, as: UTF8.self) + "\n") }
      throw ExitCode.failure
    }
    note("Result written to \(file.path(percentEncoded: false))")
  }
}
