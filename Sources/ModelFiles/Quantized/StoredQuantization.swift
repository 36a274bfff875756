/// How the matrices of a checkpoint are quantised already: `quantization_config` in `config.json`.
///
/// Which of them are is said by the tensors' names; lists of modules to leave out are not needed.
/// Sources: `transformers` (quantizers), compressed-tensors, AutoGPTQ, AutoAWQ.
enum StoredQuantization: Sendable, Equatable {
  /// Eight-bit floats with scales: DeepSeek's blocks, or a scale for a row or a matrix.
  case fp8(block: Block?)
  /// Integers or eight-bit floats, each group of modules with widths, blocks and groups of its own.
  case compressedTensors(CompressedForms)
  /// - Parameter zero: the one zero point where the file's are of no use, symmetric weights having but one.
  case gptq(bits: Int, groupSize: Int?, zero: Int?, zeroOffset: Int)
  case awq(groupSize: Int?)
  /// Four-bit floats with an exponent for 32, as gpt-oss has its experts.
  case mxfp4

  /// Rows and columns that share a scale.
  struct Block: Sendable, Hashable { let rows, columns: Int }

  /// What the groups of a compressed-tensors checkpoint use.
  struct CompressedForms: Sendable, Equatable {
    var bits: Set<Int> = []
    var groupSizes: Set<Int> = []
    var blocks: Set<Block> = []
    /// Whether there are eight-bit or four-bit floats, eight-bit integers in bytes, zero points.
    var hasFloats = false, hasBytes = false, hasZeros = false
  }

  static let methods = ["awq", "compressed-tensors", "fbgemm_fp8", "fp8", "gptq", "mxfp4"]

  /// - Throws: `ModelFileError` that names what is unsupported, or makes no sense.
  init(_ file: QuantizationFile, path: String) throws(ModelFileError) {
    let reader = Reader(file: file, path: path)
    switch file.quant_method {
    case "fp8":
      let block = try file.weight_block_size.map { (sizes) throws(ModelFileError) in
        try reader.block(sizes, "weight_block_size")
      }
      self = .fp8(block: block)
    case "fbgemm_fp8": self = .fp8(block: nil)
    case "mxfp4": self = .mxfp4
    case "gptq": self = try reader.gptq()
    case "awq": self = try reader.awq()
    case "compressed-tensors": self = .compressedTensors(try reader.compressed())
    case let method:
      throw ModelFileError(
        path,
        "unsupported: a checkpoint quantised by \(method.map { "'\($0)'" } ?? "no method named") (quantization_config.quant_method); supported are \(Self.methods.joined(separator: ", "))"
      )
    }
  }
}

/// Checks the values of one `quantization_config`.
private struct Reader {
  let file: QuantizationFile
  let path: String

  func unsupported(_ what: String) -> ModelFileError {
    ModelFileError(path, "unsupported: quantization_config.\(what)")
  }

  func block(_ sizes: [Int], _ key: String) throws(ModelFileError) -> StoredQuantization.Block {
    guard sizes.count == 2, sizes.allSatisfy({ (1...65_536).contains($0) }) else {
      throw ModelFileError(path, "quantization_config.\(key) is \(sizes); expected two numbers from 1 to 65536")
    }
    return StoredQuantization.Block(rows: sizes[0], columns: sizes[1])
  }

  /// Columns that share a scale; `nil` for whole rows.
  func groupSize(_ size: Int?, _ key: String) throws(ModelFileError) -> Int? {
    guard let size, size != -1 else { return nil }
    guard (1...65_536).contains(size) else {
      throw ModelFileError(path, "quantization_config.\(key) is \(size); expected -1, or 1 to 65536")
    }
    return size
  }

  func bits(_ bits: Int?, _ key: String, in range: ClosedRange<Int>) throws(ModelFileError) -> Int {
    guard let bits, range.contains(bits) else {
      throw ModelFileError(
        path,
        "quantization_config.\(key) is \(bits.map { "\($0)" } ?? "missing"); expected \(range.lowerBound) to \(range.upperBound)"
      )
    }
    return bits
  }

  func gptq() throws(ModelFileError) -> StoredQuantization {
    let form = file.checkpoint_format ?? "gptq"
    guard form == "gptq" || form == "gptq_v2" else { throw unsupported("checkpoint_format '\(form)'") }
    let bits = try bits(file.bits, "bits", in: 2...8)
    let isSymmetric = file.sym ?? true
    return .gptq(
      bits: bits, groupSize: try groupSize(file.group_size, "group_size"), zero: isSymmetric ? 1 << (bits - 1) : nil,
      zeroOffset: form == "gptq" ? 1 : 0)
  }

  func awq() throws(ModelFileError) -> StoredQuantization {
    let form = (file.version ?? "gemm").lowercased()
    guard form == "gemm" else { throw unsupported("version '\(form)' of AWQ; only gemm") }
    guard try bits(file.bits ?? file.w_bit, "bits", in: 1...8) == 4 else {
      throw unsupported("bits \(file.bits ?? 0) of AWQ; only 4")
    }
    return .awq(groupSize: try groupSize(file.group_size ?? file.q_group_size, "group_size"))
  }

  func compressed() throws(ModelFileError) -> StoredQuantization.CompressedForms {
    let known = [
      "dense", "pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "mxfp4-pack-quantized",
      "mixed-precision",
    ]
    let groups = (file.config_groups ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    for form in [file.format].compactMap(\.self) + groups.compactMap(\.format) where !known.contains(form) {
      throw unsupported("format '\(form)'; supported are \(known.joined(separator: ", "))")
    }
    if let form = file.sparsity_config?.format, form != "dense" {
      throw unsupported("sparsity_config.format '\(form)'")
    }
    if file.transform_config?.config_groups?.isEmpty == false {
      throw unsupported("transform_config: rotations of weights and activations")
    }
    var forms = StoredQuantization.CompressedForms()
    for weights in groups.compactMap(\.weights) {
      forms.bits.insert(try bits(weights.num_bits, "config_groups.weights.num_bits", in: 1...8))
      if let size = try groupSize(weights.group_size, "config_groups.weights.group_size") {
        forms.groupSizes.insert(size)
      }
      if let sizes = weights.block_structure {
        forms.blocks.insert(try block(sizes, "config_groups.weights.block_structure"))
      }
      if weights.type == "float" { forms.hasFloats = true }
      if weights.symmetric == false { forms.hasZeros = true }
    }
    forms.hasBytes = ([file.format] + groups.map(\.format)).contains("int-quantized")
    return forms
  }
}

/// `quantization_config` as written. Only what a supported method uses is read.
struct QuantizationFile: Decodable {
  let quant_method: String?
  var bits, w_bit, group_size, q_group_size: Int?
  var sym: Bool?
  var checkpoint_format, version, format: String?
  var weight_block_size: [Int]?
  var config_groups: [String: Group]?
  var sparsity_config: Sparsity?
  var transform_config: Transforms?
  /// Modules whose matrices are as they were.
  var untouched: [String]?
  /// Whether columns lie in groups in any order.
  var listsGroups = false

  struct Group: Decodable {
    let weights: Weights?
    let format: String?
  }

  struct Weights: Decodable {
    let num_bits, group_size: Int?
    let block_structure: [Int]?
    let type: String?
    let symmetric: Bool?
    let actorder: Word?
  }

  /// A value that is of use where it is a word.
  struct Word: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws { text = try? decoder.singleValueContainer().decode(String.self) }
  }

  struct Sparsity: Decodable { let format: String? }

  struct Transforms: Decodable { let config_groups: [String: Anything]? }

  struct Anything: Decodable { init(from decoder: any Decoder) throws {} }

  private enum Key: String, CodingKey {
    case quant_method, bits, w_bit, group_size, q_group_size, sym, checkpoint_format, version, format, weight_block_size
    case config_groups, sparsity_config, transform_config, modules_to_not_convert, ignore, desc_act
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: Key.self)
    quant_method = try keys.decodeIfPresent(String.self, forKey: .quant_method)
    switch quant_method {
    case "fp8": weight_block_size = try keys.decodeIfPresent([Int].self, forKey: .weight_block_size)
    case "gptq":
      bits = try keys.decodeIfPresent(Int.self, forKey: .bits)
      group_size = try keys.decodeIfPresent(Int.self, forKey: .group_size)
      sym = try keys.decodeIfPresent(Bool.self, forKey: .sym)
      checkpoint_format = try keys.decodeIfPresent(String.self, forKey: .checkpoint_format)
    case "awq":
      bits = try keys.decodeIfPresent(Int.self, forKey: .bits)
      w_bit = try keys.decodeIfPresent(Int.self, forKey: .w_bit)
      group_size = try keys.decodeIfPresent(Int.self, forKey: .group_size)
      q_group_size = try keys.decodeIfPresent(Int.self, forKey: .q_group_size)
      version = try keys.decodeIfPresent(String.self, forKey: .version)
    case "compressed-tensors":
      format = try keys.decodeIfPresent(String.self, forKey: .format)
      config_groups = try keys.decodeIfPresent([String: Group].self, forKey: .config_groups)
      sparsity_config = try keys.decodeIfPresent(Sparsity.self, forKey: .sparsity_config)
      transform_config = try keys.decodeIfPresent(Transforms.self, forKey: .transform_config)
    default: break
    }
    // Sums rest on these, and nothing that is computed.
    let listed = [Key.modules_to_not_convert, .ignore].compactMap { try? keys.decode([String].self, forKey: $0) }
    untouched = listed.isEmpty ? nil : listed.flatMap(\.self)
    listsGroups =
      (try? keys.decode(Bool.self, forKey: .desc_act)) ?? false
      || (config_groups ?? [:]).values.contains { $0.weights?.actorder?.text == "group" }
  }
}
