/// What `foretoken bench forward` found. Times are in seconds, rates per second.
public struct ForwardReport: Sendable, Codable {
  /// What the machine can do at most, measured between the passes on the same threads.
  public struct Ceilings: Sendable, Codable {
    /// Bytes read per second.
    public let readBandwidth: Spread
    /// Operations on bytes (int8 and int4 weights).
    public let byteOperations: Spread
    /// Operations on floats (bf16 weights, attention).
    public let floatOperations: Spread
  }

  /// One kind of pass.
  public struct Pass: Sendable, Codable {
    /// `decode` for a pass whose rows all want logits, `prefill` for a prompt of which only the last row does.
    public let kind: String
    /// Positions in the KV cache before it.
    public let context: Int
    /// Its rows.
    public let rows: Int
    /// Time of a pass; of all chunks for a prefill of several.
    public let seconds: Spread
    /// Time over that of the single-row pass of the same round.
    public let ratioToSingle: Spread?
    /// The least time that the ceilings allow.
    public let floorSeconds: Double
    /// `floorSeconds` over the median.
    public let shareOfFloor: Double
    /// Bytes that must be read or written.
    public let bytes: Double
    /// Time of the products alone at the measured peaks, over the median.
    public let shareOfPeak: Double
    /// Median time by kind of operation.
    public let breakdown: [String: Double]
  }

  /// The model or shape.
  public let model: String
  /// Format of the layers' matrices: none (bf16), int8 or int4.
  public let quantization: String
  /// Threads computing.
  public let threads: Int
  /// Kernels used.
  public let kernels: String
  /// The processor as the system names it.
  public let processor: String
  /// Rounds; each measures the ceilings and then every pass once.
  public let repetitions: Int
  /// Most rows of one chunk of a prefill.
  public let chunk: Int
  /// Packed weights in bytes.
  public let packedWeightBytes: Int
  /// Time to load or make the weights.
  public let loadSeconds: Double
  /// Measured in every round.
  public let ceilings: Ceilings
  /// In the order of contexts, then rows.
  public let passes: [Pass]
}
