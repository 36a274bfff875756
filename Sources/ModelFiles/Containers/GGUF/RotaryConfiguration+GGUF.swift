internal import Foundation
internal import Tensor

extension RotaryConfiguration {
  /// Reads the keys `FAMILY.rope.…` and the tensor `rope_freqs.weight`.
  ///
  /// Source: llama.cpp, which multiplies YaRN's 0.1 · ln(factor) + 1 by `rope.scaling.attn_factor`.
  ///
  /// - Parameters:
  ///   - rotatedSize: channels of a head that are rotated.
  ///   - truncatesRamp: whether YaRN's ramp begins and ends at whole channels, which files do not say.
  init(
    _ file: GGUFFile, family: String, headSize: Int, rotatedSize: Int, truncatesRamp: Bool = true, maximumPosition: Int
  ) throws(ModelFileError) {
    let (metadata, path) = (file.metadata, file.path)
    func key(_ name: String) -> String { "\(family).rope.\(name)" }
    func number(_ name: String) throws(ModelFileError) -> Double? { try metadata.number(key(name), in: 1e-6...1e6) }

    let share = Double(rotatedSize) / Double(headSize)
    // So that as many channels come out again.
    rotatedShare = Int(Double(headSize) * share) < rotatedSize ? share.nextUp : share
    base = try metadata.number(key("freq_base"), in: 1...1e12) ?? 10_000
    guard base > 1 else { throw ModelFileError(path, "\(key("freq_base")) is \(base); expected above 1") }
    // Files of before `scaling.type` have the linear factor alone.
    let older = try number("scale_linear")
    let type = try metadata.string(key("scaling.type")) ?? (older == nil ? "none" : "linear")
    let factor = try number("scaling.factor") ?? older ?? 1
    switch type {
    case "none": scaling = try Self.factors(of: file, headSize: rotatedSize).map { Scaling.factors($0) } ?? Scaling.none
    case _ where file[GGUFFile.rotaryFactors] != nil:
      throw ModelFileError(
        path, "unsupported: \(key("scaling.type")) '\(type)' beside the tensor '\(GGUFFile.rotaryFactors)'")
    case "linear": scaling = .linear(factor: factor)
    case "yarn":
      let older = try number("scaling.yarn_attn_factor")
      let weight = try number("scaling.attn_factor") ?? older ?? 1
      scaling = .yarn(
        factor: factor,
        originalMaximum: try metadata.integer(key("scaling.original_context_length"), in: 1...16_777_216)
          ?? maximumPosition,
        attentionFactor: weight * (factor <= 1 ? 1 : 0.1 * log(factor) + 1),
        fast: try number("scaling.yarn_beta_fast") ?? 32, slow: try number("scaling.yarn_beta_slow") ?? 1,
        truncates: truncatesRamp)
    default:
      throw ModelFileError(path, "unsupported: \(key("scaling.type")) '\(type)'; supported are none, linear, yarn")
    }
  }

  private static func factors(of file: GGUFFile, headSize: Int) throws(ModelFileError) -> [Float]? {
    guard let tensor = file[GGUFFile.rotaryFactors] else { return nil }
    guard tensor.shape == [headSize / 2] else {
      throw ModelFileError(
        file.path, "tensor '\(tensor.name)' has shape \(tensor.shape); expected [\(headSize / 2)]")
    }
    let factors = try file.tensor(tensor.name).floats()
    if let odd = factors.first(where: { !(1e-6...1e6).contains($0) }) {
      throw ModelFileError(file.path, "tensor '\(tensor.name)' holds \(odd); expected 1e-06 to 1e+06")
    }
    return factors
  }
}
