internal import ArgumentParser
internal import Benchmarking
internal import Foundation

/// Flags that say what the machine costs.
struct PriceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("What an hour of the machine costs, in US dollars.", valueName: "dollars"))
  var pricePerHour: Double?

  @Option(
    help: ArgumentHelp(
      "The machine's type, priced by the built-in table: trn2.48xlarge, inf2.xlarge, p5.48xlarge, g6.xlarge, m8a.large, …",
      valueName: "name"))
  var instance: String?

  @Option(
    help: ArgumentHelp("A table of instances to use instead (YAML in the built-in one's layout).", valueName: "file"))
  var instances: String?

  func validate() throws {
    if let pricePerHour, !(pricePerHour > 0 && pricePerHour.isFinite) {
      throw ValidationError("--price-per-hour is \(pricePerHour); expected more than 0.")
    }
    guard instances == nil || instance != nil else {
      throw ValidationError("--instances is a table for --instance, which is missing.")
    }
  }

  /// The price; `nil` when none was asked for. A price given by hand takes precedence over the table's.
  func price() throws -> Price? {
    guard let instance else { return pricePerHour.map { Price(dollarsPerHour: $0) } }
    if let pricePerHour { return Price(dollarsPerHour: pricePerHour, instance: instance) }
    return try table().price(of: instance)
  }

  /// Bytes of the instance's memory for weights and KV cache, where the table knows them.
  func memoryBytes() throws -> Int? {
    guard let instance, let memory = try? table().instance(instance).memoryGiB else { return nil }
    return Int(exactly: (memory * 1_073_741_824).rounded())
  }

  private func table() throws -> InstanceTable {
    guard let instances else { return try InstanceTable.builtIn() }
    let text: String
    do { text = try String(contentsOf: URL(fileURLWithPath: instances), encoding: .utf8) } catch {
      throw ValidationError("Cannot read '\(instances)': \(error.localizedDescription)")
    }
    return try InstanceTable(yaml: text, name: instances)
  }
}
