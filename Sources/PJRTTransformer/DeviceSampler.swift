internal import StableHLO

/// The sampler as a graph: the token of largest logit, or of largest scaled logit and Gumbel noise.
///
/// The noise is that of `Decoding`'s sampler: Philox4x32-10 keyed by the seed at the counter (token / 4, position, 0, 0),
/// word token % 4, in double precision.
struct DeviceSampler {
  /// Seeds by lane, `[lanes]` unsigned, in two halves.
  struct Seeds {
    let low, high: Value
  }

  /// The tokens of largest score: `[rows]` for scores `[rows, vocabulary]`; of equal ones the first.
  static func argmax(_ scores: Value, _ builder: inout ProgramBuilder) -> Value {
    let peaks = builder.broadcast(
      builder.reduce(scores, .maximum, dimension: 1), scores.shape, dimensions: [0])
    let places = TensorType(scores.shape, .int32)
    let tokens = builder.select(
      builder.compare(.equal, scores, peaks), builder.iota(places, dimension: 1),
      builder.splat(UInt64(Int32.max), places))
    return builder.reduce(tokens, .minimum, dimension: 1)
  }

  /// Noise of output positions: `[n, lanes, vocabulary]` in double precision.
  ///
  /// - Parameter positions: `[n, lanes]`, unsigned.
  static func noise(
    _ seeds: Seeds, positions: Value, vocabulary: Int, _ builder: inout ProgramBuilder
  ) -> Value {
    let groups = (vocabulary + 3) / 4
    let shape = positions.shape + [groups]
    let type = TensorType(shape, .uint32)
    let words = philox(
      [
        builder.iota(type, dimension: 2), builder.broadcast(positions, shape, dimensions: [0, 1]),
        builder.splat(UInt64(0), type), builder.splat(UInt64(0), type),
      ],
      low: builder.broadcast(seeds.low, shape, dimensions: [1]),
      high: builder.broadcast(seeds.high, shape, dimensions: [1]), &builder)
    let columns = words.map { builder.reshape($0, shape + [1]) }
    let all = builder.reshape(builder.concatenate(columns, dimension: 3), positions.shape + [groups * 4])
    let wanted = builder.slice(all, all.shape.dropLast().map { 0..<$0 } + [0..<vocabulary])
    let centres = builder.apply(.add, builder.convert(wanted, to: .float64), 0.5)
    let uniform = builder.apply(.multiply, centres, 0x1p-32)
    let inner = builder.apply(.negate, builder.apply(.log, uniform))
    return builder.apply(.negate, builder.apply(.log, inner))
  }

  /// What the largest of is drawn: `[rows, vocabulary]` in double precision.
  ///
  /// - Parameters:
  ///   - logits: `[rows, vocabulary]`.
  ///   - noise: `[rows, vocabulary]`.
  ///   - temperatures: `[rows]`; 0 for the largest logit.
  static func scores(
    _ logits: Value, noise: Value, temperatures: Value, _ builder: inout ProgramBuilder
  ) -> Value {
    let wide = builder.convert(logits, to: .float64)
    let divisors = builder.broadcast(temperatures, wide.shape, dimensions: [0])
    let noisy = builder.apply(.add, builder.apply(.divide, wide, divisors), noise)
    let isGreedy = builder.compare(.equal, divisors, builder.splat(Float(0), divisors.type))
    return builder.select(isGreedy, wide, noisy)
  }

  /// Ten rounds of Philox4x32 over the counters `words`, elementwise.
  private static func philox(
    _ words: [Value], low: Value, high: Value, _ builder: inout ProgramBuilder
  ) -> [Value] {
    var (words, low, high) = (words, low, high)
    for _ in 0..<10 {
      let first = product(words[0], 0xD251_1F53, &builder)
      let second = product(words[2], 0xCD9E_8D57, &builder)
      words = [
        builder.apply(.xor, builder.apply(.xor, second.high, words[1]), low), second.low,
        builder.apply(.xor, builder.apply(.xor, first.high, words[3]), high), first.low,
      ]
      low = builder.apply(.add, low, builder.splat(0x9E37_79B9 as UInt64, low.type))
      high = builder.apply(.add, high, builder.splat(0xBB67_AE85 as UInt64, high.type))
    }
    return words
  }

  /// The halves of a product of 64 bits.
  private static func product(
    _ words: Value, _ factor: UInt64, _ builder: inout ProgramBuilder
  ) -> (high: Value, low: Value) {
    let wide = TensorType(words.shape, .uint64)
    let product = builder.apply(
      .multiply, builder.convert(words, to: .uint64), builder.splat(factor, wide))
    let high = builder.apply(.shiftRightLogical, product, builder.splat(UInt64(32), wide))
    return (
      builder.convert(high, to: .uint32), builder.apply(.multiply, words, builder.splat(factor, words.type))
    )
  }
}
