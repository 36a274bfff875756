internal import Foundation

/// Models that are exactly a given one, with channels like those of large models: what writes a channel is multiplied by a
/// power of two, and what reads it is divided by it.
public struct OutlierTwin: Sendable, CustomStringConvertible {
  /// Where the channels are.
  public enum Place: String, Sendable, CaseIterable {
    /// Norms' weights, against the columns of the matrices behind them.
    case norms
    /// Rows of the up projection, against columns of the down projection.
    case up
    /// Rows of the value projection, against columns of the output projection.
    case values
    /// Key norms' weights, of the two channels that a rotation mixes, against query norms'.
    case keys
  }

  /// Where the channels are.
  public let places: [Place]
  /// What one channel of 64 is multiplied by: two to this power.
  public let exponent: Int
  /// Places and factor.
  public var description: String { "\(places.map(\.rawValue)) 2^\(exponent)" }

  /// A twin.
  public init(_ places: [Place], exponent: Int) { (self.places, self.exponent) = (places, exponent) }

  private struct Configuration: Decodable {
    let num_hidden_layers, head_dim: Int
  }
  private struct Tensor: Decodable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
  }

  /// Writes the twin of the bf16 model in `model`, of one safetensors file, to `directory`.
  public func write(of model: String, to directory: TemporaryDirectory) throws {
    let source = URL(fileURLWithPath: model)
    for name in try FileManager.default.contentsOfDirectory(atPath: model) where name != "model.safetensors" {
      try directory.write(try Data(contentsOf: source.appendingPathComponent(name)), to: name)
    }
    let configuration = try JSONDecoder().decode(
      Configuration.self, from: Data(contentsOf: source.appendingPathComponent("config.json")))
    var data = try Data(contentsOf: source.appendingPathComponent("model.safetensors"))
    let length = (0..<8).reduce(0) { $0 | Int(data[$1]) << (8 * $1) }
    let header = data[8..<8 + length]
    let entries = try JSONSerialization.jsonObject(with: header) as? [String: Any] ?? [:]
    /// Multiplies by two to the power `exponent` what `isMeant` says of row and column.
    func scale(_ name: String, _ exponent: Int, _ isMeant: (Int, Int) -> Bool) throws {
      let json = try JSONSerialization.data(withJSONObject: entries[name] ?? [:])
      let tensor = try JSONDecoder().decode(Tensor.self, from: json)
      let columns = tensor.shape.last ?? 1
      for index in 0..<tensor.shape.reduce(1, *) where isMeant(index / columns, index % columns) {
        let place = 8 + length + tensor.data_offsets[0] + 2 * index
        let bits = UInt16(data[place]) | UInt16(data[place + 1]) << 8
        guard bits >> 7 & 0xFF != 0 else { continue }
        let scaled = UInt16(truncatingIfNeeded: Int(bits) + exponent << 7)
        (data[place], data[place + 1]) = (UInt8(scaled & 0xFF), UInt8(scaled >> 8))
      }
    }
    for layer in 0..<configuration.num_hidden_layers {
      func name(_ part: String) -> String { "model.layers.\(layer).\(part).weight" }
      if places.contains(.norms) {
        for (norm, readers) in [
          ("input_layernorm", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
          ("post_attention_layernorm", ["mlp.gate_proj", "mlp.up_proj"]),
        ] {
          try scale(name(norm), exponent) { _, column in column % 64 == 0 }
          for reader in readers { try scale(name(reader), -exponent) { _, column in column % 64 == 0 } }
        }
      }
      if places.contains(.up) {
        try scale(name("mlp.up_proj"), exponent) { row, _ in row % 64 == 5 }
        try scale(name("mlp.down_proj"), -exponent) { _, column in column % 64 == 5 }
      }
      if places.contains(.keys) {
        let half = configuration.head_dim / 2
        try scale(name("self_attn.k_norm"), exponent) { _, column in column % half == 7 }
        try scale(name("self_attn.q_norm"), -exponent) { _, column in column % half == 7 }
      }
      if places.contains(.values) {
        let size = configuration.head_dim
        try scale(name("self_attn.v_proj"), exponent) { row, _ in row % size == 3 }
        try scale(name("self_attn.o_proj"), -exponent) { _, column in column % size == 3 }
      }
    }
    try directory.write(data, to: "model.safetensors")
  }
}
