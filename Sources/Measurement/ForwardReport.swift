package import Tensor

/// What `foretoken bench forward` found. Times are in seconds, rates per second.
package struct ForwardReport: Sendable, Codable {
  /// What the machine can do at most, measured between the passes on the same threads.
  package struct Ceilings: Sendable, Codable {
    /// Bytes read per second.
    package let readBandwidth: Spread
    /// Operations on bytes (int8 and int4 weights).
    package let byteOperations: Spread
    /// Operations on floats (bf16 weights, attention).
    package let floatOperations: Spread

    package init(_ samples: [MachineCeilings.Sample]) {
      readBandwidth = Spread(samples.map(\.readBandwidth))
      byteOperations = Spread(samples.map(\.byteOperations))
      floatOperations = Spread(samples.map(\.floatOperations))
    }

    package var medians: MachineCeilings.Sample {
      MachineCeilings.Sample(
        readBandwidth: readBandwidth.median, byteOperations: byteOperations.median,
        floatOperations: floatOperations.median)
    }
  }

  package struct Pass: Sendable, Codable {
    /// `decode` for a pass whose rows all want logits, `prefill` for a prompt of which only the last row does.
    package let kind: String
    /// Positions in the KV cache before it.
    package let context: Int
    package let rows: Int
    /// Time of a pass; of all chunks for a prefill of several.
    package let seconds: Spread
    /// Time over that of the single-row pass of the same round.
    package let ratioToSingle: Spread?
    /// The least time that the ceilings allow.
    package let floorSeconds: Double
    /// `floorSeconds` over the median.
    package let shareOfFloor: Double
    /// Bytes that must be read or written.
    package let bytes: Double
    /// Time of the products alone at the measured peaks, over the median.
    package let shareOfPeak: Double
    /// Median time by kind of operation.
    package let breakdown: [String: Double]
  }

  /// A pass of a model with experts, beside what it was expected to take.
  package struct ExpertPass: Sendable, Codable {
    package let rows: Int
    /// What the rows are about: `various` unrelated tokens, one token (`alike`), or a `text`.
    package let tokens: String
    /// D: experts that a layer read, on average.
    package let experts: Double
    /// T(n, D) by what was measured when the model was loaded.
    package let predictedSeconds: Double
    package let seconds: Spread
  }

  /// The steps of a head on the model.
  package struct Head: Sendable, Codable {
    package let name: String
    package let packedWeightBytes: Int
    /// In the order of contexts.
    package let steps: [HeadStep]
  }

  /// What a head takes to guess a token.
  package struct HeadStep: Sendable, Codable {
    package enum Kind: String, Sendable, Codable {
      /// After a pass of the model: with taking over the streams of the rows that stand, and reading these.
      case first
      /// After a guess.
      case next
      /// Several guesses at once after a pass of the model, with taking over the streams of four rows.
      case block
    }

    package let kind: Kind
    /// Positions before it.
    package let context: Int
    /// Rows that it reads; of a block, the tokens that it guesses.
    package let rows: Int
    package let seconds: Spread
    /// Over the model's pass of a single row, of the same round.
    package let shareOfSingle: Spread
  }

  package let model: String
  /// Format of the layers' matrices: none (bf16), int8 or int4.
  package let quantization: String
  package let threads: Int
  package let kernels: String
  /// The processor as the system names it.
  package let processor: String
  /// Rounds; each measures the ceilings and then every pass once.
  package let repetitions: Int
  /// Most rows of one chunk of a prefill.
  package let chunk: Int
  package let packedWeightBytes: Int
  /// Time to load or make the weights.
  package let loadSeconds: Double
  /// Measured in every round.
  package let ceilings: Ceilings
  /// In the order of contexts, then rows.
  package let passes: [Pass]
  /// By rows, then tokens; `nil` for models without experts.
  package let expertPasses: [ExpertPass]?
  /// What one more expert of a layer costs, in seconds; `nil` as above.
  package let secondsPerExpert: Double?
  /// `nil` where no head was measured.
  package let head: Head?
}
