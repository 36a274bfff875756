internal import ArgumentParser
internal import Foundation
internal import Tuning

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
    help: ArgumentHelp("A table of instances to use instead (YAML in the built-in one's layout).", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var instances: String?

  @Option(help: ArgumentHelp("Where --price-per-hour comes from, and of what day: kept with it.", valueName: "text"))
  var priceSource: String?

  func validate() throws {
    if let pricePerHour, !(pricePerHour > 0 && pricePerHour.isFinite) {
      throw ValidationError("--price-per-hour is \(pricePerHour); expected more than 0.")
    }
    guard priceSource == nil || pricePerHour != nil else {
      throw ValidationError("--price-source says where --price-per-hour comes from, which is missing.")
    }
    guard instances == nil || instance != nil else {
      throw ValidationError("--instances is a table for --instance, which is missing.")
    }
  }

  /// The price; `nil` when none was asked for. A price given by hand takes precedence over the table's.
  func price() throws -> Price? {
    if let pricePerHour { return Price(dollarsPerHour: pricePerHour, instance: instance, source: priceSource) }
    guard let instance else { return nil }
    return try table().price(of: instance)
  }

  /// The price as results keep it.
  func notes() throws -> [String: String] {
    guard let price = try price() else { return [:] }
    var notes = ["price_per_hour": "\(price.dollarsPerHour)"]
    notes["price_instance"] = price.instance
    notes["price_source"] = price.source
    return notes
  }

  /// Bytes of the instance's memory for weights and KV cache, where the table knows them.
  func memoryBytes() throws -> Int? {
    guard let instance, let memory = try? table().instance(instance).memoryGiB else { return nil }
    return Int(exactly: (memory * 1_073_741_824).rounded())
  }

  private func table() throws -> InstanceTable {
    guard let instances else { return try InstanceTable.builtIn() }
    return try InstanceTable(yaml: String(decoding: InputFile.read(instances), as: UTF8.self), name: instances)
  }
}
