extension ProgramBuilder {
  /// Runs `body` `count` times; what it gives is what it is given the next time.
  ///
  /// The number of rounds is a constant, which compilers need that unroll loops or refuse others. `body` may use values
  /// from before the loop.
  ///
  /// - Parameters:
  ///   - initial: what `body` is given the first time.
  ///   - body: takes the builder, the number of the round (a scalar, 0 the first time) and the values; gives as many, of
  ///     the same types.
  /// - Returns: what the last round gives.
  package mutating func loop(
    count: Int, _ initial: [Value], body: (inout ProgramBuilder, Value, [Value]) -> [Value]
  ) -> [Value] {
    let counter = TensorType([], .int32)
    let (zero, one, end) = (
      splat(UInt64(0), counter), splat(UInt64(1), counter), splat(UInt64(count), counter)
    )
    let start = [zero] + initial
    let name = unusedName()
    let arguments = start.enumerated().map { Value(name: "%\(name)_\($0)", type: $1.type) }
    let types = start.map(\.type.description).joined(separator: ", ")
    let pairs = zip(arguments, start).map { "\($0.name) = \($1.name)" }.joined(separator: ", ")
    line("%\(name):\(start.count) = stablehlo.while(\(pairs)) : \(types)")
    block(opening: "cond {") { builder in
      let goesOn = builder.compare(.less, arguments[0], end)
      builder.line("stablehlo.return \(goesOn.name) : \(goesOn.type)")
    }
    block(opening: "} do {") { builder in
      let next = builder.apply(.add, arguments[0], one)
      let results = [next] + body(&builder, arguments[0], Array(arguments.dropFirst()))
      precondition(results.map(\.type) == start.map(\.type), "a round gives other types than it takes")
      builder.line("stablehlo.return \(results.map(\.name).joined(separator: ", ")) : \(types)")
    }
    line("}")
    return initial.indices.map { Value(name: "%\(name)#\($0 + 1)", type: initial[$0].type) }
  }
}
