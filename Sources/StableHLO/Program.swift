/// A program in StableHLO's text, ready to be compiled.
package struct Program: Sendable, Equatable {
  package struct Argument: Sendable, Equatable {
    /// Its name in the text.
    package let name: String
    /// Shape and format.
    package let type: TensorType
    /// The result that reuses its memory.
    package let aliasedResult: Int?
    /// The dimension along which the devices share it; `nil` for a copy on each.
    package let split: Int?
  }

  package let name: String
  /// What it takes, in order.
  package let arguments: [Argument]
  /// What it gives, in order.
  package let results: [TensorType]
  /// Devices that it is partitioned among.
  package let partitionCount: Int
  /// The module's text.
  package let text: String
}

/// Writes a program's one function, operation by operation; shapes are checked on the way.
///
/// Shapes come from configurations that were checked when they were read, so a wrong one is a mistake in the program that
/// writes, and stops it.
package struct ProgramBuilder {
  private let name: String
  private let partitionCount: Int
  private var arguments: [Program.Argument] = []
  private var lines: [String] = []
  private var valueCount = 0
  private var constants: [String: Value] = [:]
  private var indentation = "    "

  /// A function without arguments.
  ///
  /// - Parameters:
  ///   - name: the module's name, of letters, digits and underscores.
  ///   - partitionCount: devices to partition it among; the mesh of several has one axis, "model".
  package init(_ name: String, partitionCount: Int = 1) {
    (self.name, self.partitionCount) = (name, partitionCount)
  }

  /// Adds an argument.
  ///
  /// - Parameters:
  ///   - name: its name in the text, of letters, digits, dots and underscores.
  ///   - aliasedResult: the result that may take its memory.
  ///   - split: the dimension of which each device has its part.
  package mutating func argument(
    _ name: String, _ type: TensorType, aliasedResult: Int? = nil, split: Int? = nil
  ) -> Value {
    precondition(!arguments.contains { $0.name == name }, "two arguments are called \(name)")
    if let split {
      precondition(type.shape[split] % partitionCount == 0, "\(name): \(type) in \(partitionCount) parts")
    }
    arguments.append(Program.Argument(name: name, type: type, aliasedResult: aliasedResult, split: split))
    return Value(name: "%" + name, type: type)
  }

  /// Adds a remark to the text.
  package mutating func comment(_ text: String) { line("// " + text) }

  /// Adds a line of text.
  mutating func line(_ text: String) { lines.append(indentation + text) }

  /// A name for a value with several results, without the percent sign.
  mutating func unusedName() -> String {
    valueCount += 1
    return "v\(valueCount - 1)"
  }

  /// Adds a region after the line `opening`; constants that are first used in it are its own.
  mutating func block(opening: String, _ body: (inout ProgramBuilder) -> Void) {
    line(opening)
    let (known, outer) = (constants, indentation)
    indentation += "  "
    body(&self)
    (constants, indentation) = (known, outer)
  }

  /// Adds an operation with one result.
  mutating func emit(_ operation: String, _ type: TensorType) -> Value {
    let value = Value(name: "%\(valueCount)", type: type)
    valueCount += 1
    line("\(value.name) = \(operation)")
    return value
  }

  /// Names that hold within the function.
  mutating func constant(_ operation: String, _ type: TensorType) -> Value {
    if let known = constants[operation] { return known }
    let value = emit(operation, type)
    constants[operation] = value
    return value
  }

  /// The program that gives `results`.
  ///
  /// - Parameter results: values with the dimension of which each device keeps its part; `nil` for a copy on each.
  package func program(returning results: [(value: Value, split: Int?)]) -> Program {
    for argument in arguments {
      if let place = argument.aliasedResult {
        precondition(results[place].value.type == argument.type, "\(argument.name) and result \(place) differ")
      }
    }
    let types = results.map(\.value.type)
    let inputs = arguments.map { argument in
      var attributes = argument.aliasedResult.map { ["tf.aliasing_output = \($0) : i32"] } ?? []
      if partitionCount > 1 { attributes.append(sharding(argument.type, argument.split)) }
      let suffix = attributes.isEmpty ? "" : " {\(attributes.joined(separator: ", "))}"
      return "      %\(argument.name): \(argument.type)\(suffix)"
    }
    let outputs = results.map { result in
      partitionCount > 1
        ? "\(result.value.type) {\(sharding(result.value.type, result.split))}" : "\(result.value.type)"
    }
    let head = [
      "module @\(name) attributes {mhlo.num_partitions = \(partitionCount) : i32, mhlo.num_replicas = 1 : i32} {",
      partitionCount > 1 ? "  sdy.mesh @mesh = <[\"model\"=\(partitionCount)]>" : nil, "  func.func public @main(",
    ].compactMap { $0 }
    let names = results.map(\.value.name).joined(separator: ", ")
    let text =
      head + [inputs.joined(separator: ",\n"), "  ) -> (\(outputs.joined(separator: ", "))) {"] + lines
      + ["    return \(names) : \(types.map(\.description).joined(separator: ", "))", "  }", "}", ""]
    return Program(
      name: name, arguments: arguments, results: types, partitionCount: partitionCount,
      text: text.joined(separator: "\n"))
  }

  private func sharding(_ type: TensorType, _ split: Int?) -> String {
    let axes = type.shape.indices.map { $0 == split ? "{\"model\"}" : "{}" }.joined(separator: ", ")
    return "sdy.sharding = #sdy.sharding<@mesh, [\(axes)]>"
  }
}
