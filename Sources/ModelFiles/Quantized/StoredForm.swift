package import Tensor

/// In what form checkpoints that are quantised already have a model's matrices, as far as `config.json` tells: enough to
/// say how large they are. Of files that are here, their tensors say it.
struct StoredForm: Sendable, Equatable, CustomStringConvertible {
  /// `quant_method`.
  let method: String
  private let quantization: StoredQuantization
  private let untouched: ModuleList
  /// Whether columns lie in groups in any order (act-order).
  private let listsGroups: Bool

  /// The same in every process, as packed weights are kept under what describes a model.
  var description: String { method }

  /// - Throws: `ModelFileError` that names what is unsupported, or makes no sense.
  init(_ file: QuantizationFile, path: String) throws(ModelFileError) {
    quantization = try StoredQuantization(file, path: path)
    method = file.quant_method ?? ""
    untouched = ModuleList(file.untouched ?? [])
    listsGroups = file.listsGroups
  }

  /// How a matrix lies in parts; `nil` for a tensor that is as it was.
  func numbers(of tensor: DecoderTensor) -> MatrixParts.Numbers? {
    guard isQuantised(tensor) else { return nil }
    let columns = tensor.shape[1]
    let numbers = quantization.numbers(columns: columns, listsGroups: listsGroups)
    return numbers.flatMap { $0.byteCounts(rows: tensor.shape[0], columns: columns) == nil ? nil : $0 }
  }

  /// Embeddings, what gives logits and routers are left alone by all methods, unless someone asks for more.
  private func isQuantised(_ tensor: DecoderTensor) -> Bool {
    let name = tensor.name
    guard tensor.isMatrix, name.layer != nil, name.role != .router else { return false }
    if quantization == .mxfp4, name.expert == nil { return false }
    return untouched.isEmpty || !untouched.contains(name)
  }
}

extension StoredQuantization {
  /// How matrices of `columns` lie in parts; of groups of modules that differ, as those of most bits; `nil` where no group
  /// says how.
  fileprivate func numbers(columns: Int, listsGroups: Bool) -> MatrixParts.Numbers? {
    func integers(
      _ order: IntegerLayout.Order, bits: Int, _ groupSize: Int?, hasZeros: Bool
    ) -> MatrixParts.Numbers {
      .integers(
        IntegerLayout(
          order: order, bits: bits, scale: .float16, groupSize: groupSize ?? columns, hasZeros: hasZeros, zero: 0,
          listsGroups: listsGroups))
    }
    switch self {
    case .fp8(let block):
      return .floats(
        hasInfinities: false, scale: .float32, rows: block?.rows ?? 1, columns: block?.columns ?? columns)
    case .mxfp4: return .microscaled
    case .gptq(let bits, let groupSize, let zero, _):
      return integers(.gptq, bits: bits, groupSize, hasZeros: zero == nil)
    case .awq(let groupSize): return integers(.awq, bits: 4, groupSize, hasZeros: true)
    case .compressedTensors(let forms):
      guard let bits = forms.bits.max() else { return nil }
      let groupSize = forms.groupSizes.min()
      if forms.hasFloats, bits == 4 { return .microscaled }
      if forms.hasFloats {
        let block = forms.blocks.min { ($0.rows, $0.columns) < ($1.rows, $1.columns) }
        let width = block?.columns ?? groupSize ?? columns
        return .floats(hasInfinities: false, scale: .bfloat16, rows: block?.rows ?? 1, columns: width)
      }
      if bits == 8, forms.hasBytes { return integers(.bytes, bits: bits, groupSize, hasZeros: false) }
      return integers(.rows, bits: bits, groupSize, hasZeros: forms.hasZeros)
    }
  }
}

/// Modules by their names, as `modules_to_not_convert` and `ignore` list them: a name, the end or the beginning of one,
/// with `*` for anything, or after `re:` a regular expression.
///
/// Of regular expressions only letters and points are read, and all else stands for anything: rather too many modules are
/// on the list, and a model larger, than too few.
struct ModuleList: Sendable, Equatable {
  private var names: Set<Substring> = []
  private var patterns: [Pattern] = []

  /// Beyond these everything is on the list: what is longer was written to take long.
  private static let (mostPatterns, longestPattern) = (64, 256)

  var isEmpty: Bool { names.isEmpty && patterns.isEmpty }

  init(_ entries: [String]) {
    for entry in entries {
      if entry.hasPrefix("re:") {
        patterns.append(Pattern(expression: entry.dropFirst(3)))
      } else if entry.contains("*") {
        patterns.append(Pattern(wildcards: entry))
      } else {
        // Of models that see pictures too, without the name of the part that reads and writes text.
        names.insert(entry.replacing("language_model.", with: "")[...])
      }
    }
    if patterns.count > Self.mostPatterns || patterns.contains(where: { $0.parts.count > Self.longestPattern }) {
      patterns = [Pattern(wildcards: "*")]
    }
  }

  func contains(_ tensor: TensorName) -> Bool {
    let weight = tensor.huggingFace
    let name = weight.hasSuffix(".weight") ? String(weight.dropLast(".weight".count)) : weight
    if !names.isEmpty {
      if names.contains(name[...]) { return true }
      for place in name.utf8.indices where name.utf8[place] == UInt8(ascii: ".") {
        if names.contains(name[..<place]) || names.contains(name[name.utf8.index(after: place)...]) { return true }
      }
    }
    return patterns.contains { $0.matches(name) }
  }

  private struct Pattern: Sendable, Equatable {
    enum Part: Sendable, Equatable {
      case letter(UInt8)
      case anyLetter, anything
    }
    private(set) var parts: [Part] = []

    /// `*` stands for anything, and so does what follows.
    init(wildcards text: String) {
      parts = text.utf8.map { $0 == UInt8(ascii: "*") ? .anything : .letter($0) } + [.anything]
    }

    /// A regular expression, which begins where a name does and ends anywhere.
    init(expression text: Substring) {
      var isEscaped = false
      // Groups and sets that are open.
      var depth = 0
      for letter in text.utf8 {
        let isWord = Self.isWord(letter)
        if isEscaped {
          // `\.` is a point, `\d` some letter.
          if depth == 0 { parts.append(isWord ? .anyLetter : .letter(letter)) }
          isEscaped = false
          continue
        }
        switch letter {
        case UInt8(ascii: "\\"): isEscaped = true
        case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"):
          // How often: of what stands before.
          if depth == 0, letter == UInt8(ascii: "{"), !parts.isEmpty { parts.removeLast() }
          if depth == 0 { parts.append(.anything) }
          depth += 1
        case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
        case _ where depth > 0: break
        case UInt8(ascii: "^"), UInt8(ascii: "$"): break
        case UInt8(ascii: "."): parts.append(.anyLetter)
        case _ where isWord: parts.append(.letter(letter))
        case UInt8(ascii: "|"):
          // One of several.
          parts = [.anything]
          return
        default:
          // What is repeated or left out is what stands before.
          if !parts.isEmpty { parts.removeLast() }
          parts.append(.anything)
        }
      }
      if text.last != "$" { parts.append(.anything) }
    }

    private static func isWord(_ letter: UInt8) -> Bool {
      letter == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(letter)
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter | 0x20)
    }

    func matches(_ name: String) -> Bool {
      let letters = Array(name.utf8)
      var (place, part) = (0, 0)
      // The last `anything`, and as far as it reaches for now.
      var open: (part: Int, place: Int)?
      while place < letters.count {
        if part < parts.count {
          switch parts[part] {
          case .anything:
            open = (part, place)
            part += 1
            continue
          case .anyLetter:
            (part, place) = (part + 1, place + 1)
            continue
          case .letter(let letter) where letter == letters[place]:
            (part, place) = (part + 1, place + 1)
            continue
          case .letter: break
          }
        }
        guard let last = open else { return false }
        open = (last.part, last.place + 1)
        (part, place) = (last.part + 1, last.place + 1)
      }
      return parts[part...].allSatisfy { $0 == .anything }
    }
  }
}

extension ModelConfiguration {
  /// The method by which checkpoints are quantised already, as `config.json` names it; `nil` for those that are not.
  package var storedMethod: String? { storedForm?.method }

  /// What checkpoints have of a tensor, as far as the configuration tells.
  package func storedType(of tensor: DecoderTensor) -> ElementType {
    storedForm?.numbers(of: tensor)?.elementType ?? .bfloat16
  }

  /// Bytes of a tensor in checkpoints, as far as the configuration tells.
  package func storedByteCount(of tensor: DecoderTensor) -> Int {
    guard let numbers = storedForm?.numbers(of: tensor),
      let bytes = numbers.byteCounts(rows: tensor.shape[0], columns: tensor.shape[1])
    else { return 2 * tensor.count }
    return bytes.values + bytes.scales + (bytes.zeros ?? 0) + (bytes.groups ?? 0)
  }
}
