internal import Foundation
package import LoadTesting
internal import Yams

/// What hours of named instances cost, with the source of every figure.
package struct InstanceTable: Sendable, Equatable {
  /// Where prices come from.
  package struct Source: Sendable, Equatable {
    /// The day that they are of, `2026-01-19`.
    package let date: String
    /// Who says so.
    package let text: String
  }

  package struct Instance: Sendable, Equatable {
    /// As the provider names it.
    package let name: String
    /// US dollars per hour; `nil` where no source was found.
    package let dollarsPerHour: Double?
    /// `on-demand`, `capacity-block`, or another word for what the price is of.
    package let basis: String
    /// Where the price comes from.
    package let source: Source
    /// Its accelerators; `nil` for a CPU instance.
    package let accelerator: String?
    /// Memory that holds weights and KV cache, in GiB.
    package let memoryGiB: Double?
  }

  /// In the order of the file.
  package let instances: [Instance]

  /// The table that is part of the program.
  ///
  /// - Throws: `ResultFileError` when it is damaged, which a test rules out.
  package static func builtIn() throws(ResultFileError) -> InstanceTable {
    try InstanceTable(yaml: String(decoding: PackageResources.instances_yaml, as: UTF8.self), name: "instances.yaml")
  }

  /// Reads a table.
  ///
  /// - Parameter name: the file's name, for errors.
  /// - Throws: `ResultFileError` that names the instance and what is wrong with it.
  package init(yaml: String, name: String) throws(ResultFileError) {
    let file: File
    do { file = try YAMLDecoder().decode(File.self, from: yaml) } catch {
      throw ResultFileError("'\(name)' is not a table of instances: \(ResultFileError.summary(of: error))")
    }
    var instances: [Instance] = []
    for row in file.instances {
      guard let source = file.sources[row.source] else {
        throw ResultFileError(
          "'\(name)': the instance '\(row.name)' names the source '\(row.source)'; there are \(file.sources.keys.sorted().joined(separator: ", "))"
        )
      }
      if let price = row.price_per_hour, !(price > 0 && price.isFinite) {
        throw ResultFileError("'\(name)': the price of '\(row.name)' is \(price); expected more than 0")
      }
      if let memory = row.memory_gib, !(memory > 0 && memory.isFinite) {
        throw ResultFileError("'\(name)': the memory of '\(row.name)' is \(memory); expected more than 0")
      }
      guard !instances.contains(where: { $0.name == row.name }) else {
        throw ResultFileError("'\(name)': the instance '\(row.name)' is there twice")
      }
      instances.append(
        Instance(
          name: row.name, dollarsPerHour: row.price_per_hour, basis: row.basis ?? "on-demand",
          source: Source(date: source.date, text: source.text.trimmingCharacters(in: .whitespacesAndNewlines)),
          accelerator: row.accelerator, memoryGiB: row.memory_gib))
    }
    self.instances = instances
  }

  /// The instance of that name.
  ///
  /// - Throws: `ResultFileError` with the names that begin alike when there is none.
  package func instance(_ name: String) throws(ResultFileError) -> Instance {
    if let found = instances.first(where: { $0.name == name }) { return found }
    let family = name.split(separator: ".").first.map(String.init) ?? name
    let alike = instances.map(\.name).filter { $0.hasPrefix(family + ".") }
    throw ResultFileError(
      "there is no instance '\(name)' in the table; it has \((alike.isEmpty ? instances.map(\.name) : alike).joined(separator: ", "))"
    )
  }

  /// The price of an instance.
  ///
  /// - Throws: `ResultFileError` when there is no such instance, or no price of it.
  package func price(of name: String) throws(ResultFileError) -> Price {
    let instance = try instance(name)
    guard let dollars = instance.dollarsPerHour else {
      throw ResultFileError("the table has no price for '\(name)'; give it with --price-per-hour")
    }
    return Price(
      dollarsPerHour: dollars, instance: name,
      source: "\(instance.basis), \(instance.source.date): \(instance.source.text)")
  }

  private struct File: Decodable {
    struct Source: Decodable { let date, text: String }
    struct Row: Decodable {
      let name, source: String
      let price_per_hour: Double?
      let basis, accelerator: String?
      let memory_gib: Double?
    }
    let sources: [String: Source]
    let instances: [Row]
  }
}
