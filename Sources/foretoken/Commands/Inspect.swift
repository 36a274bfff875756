internal import ArgumentParser
internal import Foundation
internal import Inference
internal import ModelFiles
internal import Presentation
internal import Tensor
internal import Tokenization

/// `foretoken inspect`: what a model's files hold, and what it would take to run it.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a model's architecture, size, tokenizer, and what of it is unsupported.",
    discussion: """
      Looks at each part by itself, so that one problem does not hide the others. Exits with 1 where a part cannot be \
      used. Of a config.json alone it says whether the model is supported, what memory it takes, and how fast this \
      machine could decode with it.

        foretoken inspect Qwen/Qwen3-0.6B
        foretoken inspect config.json
        foretoken inspect Models/foretoken-reference-eagle3 --target Models/foretoken-reference-target
      """)

  @Argument(
    help: "A model directory, a GGUF file, a config.json, or ORG/NAME in the Hugging Face cache.", completion: .model)
  var model: String

  @Option(help: "Of a head: the model that it is to go on from; says whether it fits.", completion: .model)
  var target: String?

  @Flag(help: "Print JSON.")
  var json = false

  private struct Report: Encodable {
    struct Tokenizer: Encodable {
      let tokens: Int
      let end_of_text_ids: [Int32]
      let has_chat_template: Bool
    }

    struct Conversion: Encodable {
      let quantization, from, to: String
      /// Root of the mean squared change of weights over that of the weights, from samples; zero where nothing changes.
      let relative_error: Double?
    }

    var path: String
    var architecture: [String: String] = [:]
    var parameters: [String: Int] = [:]
    var bytes_on_disk: [String: Int] = [:]
    var tensors: [String: Int] = [:]
    var memory_bytes: [String: Int] = [:]
    /// What `--quantization` makes of the matrices of each element type.
    var conversions: [Conversion] = []
    /// What `--quantization` is unless it is given.
    var default_quantization: String?
    var kv_cache_bytes_per_token: Int?
    /// Of models with recurrent layers: what a sequence's state takes.
    var state_bytes_per_sequence: Int?
    var tokenizer: Tokenizer?
    /// A GGUF file's keys with their values, lists by their sizes.
    var metadata: [String: String]?
    /// Whether a head fits the target that was named.
    var fits: Bool?
    /// Why the model, or a part of it, cannot be run.
    var unsupported: [String] = []
  }

  func run() throws {
    if model.hasSuffix(".json") {
      guard target == nil else { throw ValidationError("--target is for heads; a configuration alone tells of none.") }
      let report = try ShapeReport(path: model)
      if json { try emitJSON(report) } else { emit(.facts(report.lines)) }
      if !report.unsupported.isEmpty { throw ExitCode.failure }
      return
    }
    let path = try HubCache().locate(model)
    var report = Report(path: path)
    var container: (any ModelContainer)?
    var configuration: ModelConfiguration?
    // Each part is looked at on its own, so that one problem does not hide the others.
    func attempt(_ body: () throws -> Void) {
      do { try body() } catch { report.unsupported.append("\(error)") }
    }
    var lines: [(name: String, value: String)] = [
      (URL(fileURLWithPath: path).hasDirectoryPath ? "directory" : "file", path)
    ]
    attempt { container = try openContainer(at: path) }
    var head: Head?
    attempt { head = try container?.head() }
    if let head { try describe(head, &report, &lines) }
    var carried: Head?
    attempt { carried = head == nil ? try container?.carriedHead() : nil }
    attempt {
      guard head == nil else { return }
      if target != nil { throw ValidationError("--target is for heads, and '\(path)' is none.") }
      guard let found = try container?.configuration() else { return }
      configuration = found
      report.architecture = found.facts
      if let carried { report.architecture["mtp"] = carried.carriedDescription }
      if let purpose = try container?.purpose(), purpose != .generation {
        report.architecture["made for"] = purpose.description
      }
      lines += report.architecture.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
    attempt {
      guard head == nil, let checkpoint = try container?.checkpoint(), let configuration else { return }
      let summary = ModelSummary(configuration: configuration, checkpoint: checkpoint)
      report.parameters = summary.parameters
      report.bytes_on_disk = checkpoint.isMade ? [:] : summary.tensorBytes
      report.tensors = checkpoint.countByType
      report.default_quantization = Quantization.file.rawValue
      report.memory_bytes = Dictionary(
        uniqueKeysWithValues: summary.memoryByQuantization.map { (Self.flag($0.key), $0.value) })
      report.kv_cache_bytes_per_token = summary.keyValueBytesPerToken
      let total = summary.parameters.values.reduce(0, +)
      let parts = summary.parameters.sorted { $0.key < $1.key }.map { "\($0.key) \(Self.millions($0.value))" }
      lines.append(("parameters", "\(Self.millions(total)) (\(parts.joined(separator: ", ")))"))
      lines.append(
        (
          checkpoint.isMade ? "made while it is read" : "on disk",
          summary.tensorBytes.sorted { $0.key < $1.key }.map { type, bytes in
            "\(type) \(FigureText.bytes(bytes)) in \(report.tensors[type, default: 0]) tensors"
          }.joined(separator: ", ")
        ))
      for quantization in Quantization.allCases {
        lines.append(
          (
            "memory as \(Self.flag(quantization))",
            (summary.memoryByQuantization[quantization].map(FigureText.bytes) ?? "–")
              + (quantization == .file ? " (default)" : "")
          ))
      }
      report.conversions = Self.conversions(of: checkpoint)
      for conversion in report.conversions {
        let error = conversion.relative_error.map {
          $0 < 1e-5 ? "exact" : "off by \(FigureText.percent($0, digits: 2))"
        }
        lines.append(
          ("\(conversion.from) as \(conversion.quantization)", "\(conversion.to), \(error ?? "cannot be packed")"))
      }
      lines.append(
        ("KV cache", "\(FigureText.bytes(summary.keyValueBytesPerToken)) per token\(configuration.windowText)"))
      if summary.stateBytes > 0 {
        report.state_bytes_per_sequence = summary.stateBytes
        let each = FigureText.bytes(summary.stateBytes)
        lines.append(("recurrent state", "\(each) per sequence, and once more for each row that is verified"))
      }
    }
    attempt {
      guard head == nil else { return }
      let directory = try ModelSource(path, for: nil)
      let hasTemplate = directory.tokenizer.chatTemplate != nil
      report.tokenizer = Report.Tokenizer(
        tokens: directory.tokenizer.vocabularySize, end_of_text_ids: directory.endOfTextTokens.sorted(),
        has_chat_template: hasTemplate)
      let kind = directory.tokenizer.isByteLevel ? "byte-level BPE" : "SentencePiece-style BPE"
      lines.append(("tokenizer", "\(kind), \(directory.tokenizer.vocabularySize) tokens"))
      lines.append(("end of text", directory.endOfTextTokens.sorted().map { "\($0)" }.joined(separator: ", ")))
      lines.append(("chat template", hasTemplate ? "yes" : "none"))
      if hasTemplate { attempt { _ = try directory.chatTemplate() } }
    }
    if let keys = container?.keys {
      report.metadata = Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.value) })
      lines += keys.map { ($0.name, Self.shortened($0.value)) }
    }
    report.unsupported = report.unsupported.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    if json {
      try emitJSON(report)
    } else {
      emit(.facts(lines + report.unsupported.map { ("problem", $0) }))
    }
    if !report.unsupported.isEmpty { throw ExitCode.failure }
  }

  /// What a head is, and whether it fits the target.
  private func describe(_ head: Head, _ report: inout Report, _ lines: inout [(name: String, value: String)]) throws {
    report.architecture = head.facts
    lines += head.facts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    for quantization in Quantization.allCases {
      let bytes = head.packedByteCount(quantization)
      report.memory_bytes[Self.flag(quantization)] = bytes
      lines.append(
        (
          "memory as \(Self.flag(quantization))",
          FigureText.bytes(bytes) + (quantization == .file ? " (default)" : "")
        ))
    }
    report.default_quantization = Quantization.file.rawValue
    guard let target else { return }
    do {
      try head.check(fits: try HubCache().open(target).configuration())
      report.fits = true
      lines.append(("fits", target))
    } catch {
      report.fits = false
      report.unsupported.append("\(error)")
    }
  }

  /// What becomes of each element type's matrices, and how far off they are then.
  private static func conversions(of checkpoint: Checkpoint) -> [Report.Conversion] {
    ElementType.allCases.flatMap { type -> [Report.Conversion] in
      let matrices = checkpoint.matrices(of: type)
      guard !matrices.isEmpty else { return [] }
      return Quantization.allCases.map { quantization in
        let format = quantization.format(of: type)
        let errors = matrices.map { format.relativeError(of: $0) }
        let mean = errors.contains(nil) ? nil : errors.reduce(0) { $0 + ($1 ?? 0) * ($1 ?? 0) } / Double(errors.count)
        return Report.Conversion(
          quantization: quantization.rawValue, from: type.rawValue, to: format.rawValue,
          relative_error: mean?.squareRoot())
      }
    }
  }

  private static func flag(_ quantization: Quantization) -> String {
    quantization == .none ? "bf16" : quantization.rawValue
  }

  /// The text in one line of at most 80 characters.
  private static func shortened(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > 80 ? line.prefix(79) + "…" : line
  }

  private static func millions(_ count: Int) -> String { String(format: "%.2f M", Double(count) / 1e6) }
}

extension Head {
  /// What a layer that a model carries is.
  fileprivate var carriedDescription: String {
    let own = [hasEmbedding ? "embedding" : nil, hasOutput ? "output" : nil].compactMap(\.self)
    return "a layer that predicts the token after the next, for the method mtp"
      + (own.isEmpty ? "" : ", with its own \(own.joined(separator: " and "))")
  }

  /// What it is in words, by the keys of `config.json`.
  fileprivate var facts: [String: String] {
    let (head, layers) = (configuration, configuration.layers)
    var facts = layers.facts
    for key in ["architecture", "tie_word_embeddings"] { facts[key] = nil }
    facts["head"] = "\(head.title), layers as \(layers.architecture.rawValue) has them"
    facts["made for"] = head.targetName
    facts["draft_vocab_size"] = "\(head.vocabularySize)"
    facts["target_hidden_size"] = "\(head.targetHiddenSize)"
    facts["streams"] =
      "entering layers "
      + (head.tappedLayers.map { $0.map { "\($0)" }.joined(separator: ", ") } ?? "2, n/2 and n - 3 of n")
    if let block = head.block {
      facts["block"] = "\(block.size) tokens, of which it proposes at most \(block.most)"
      facts["mask_token_id"] = "\(block.maskToken)" + (hasMaskEmbedding ? ", with a vector of its own" : "")
      facts["corrects proposals"] = block.correction.map { correction in
        let rank = correction.rank > 0 ? "by the token before them, rank \(correction.rank)" : "no"
        return rank + (hasConfidence ? "; says how likely they are" : "")
      }
      let windows = block.windows.enumerated().compactMap { index, size in size.map { "\(index): \($0)" } }
      if !windows.isEmpty { facts["windows of attention by layer"] = windows.joined(separator: ", ") }
    } else {
      facts["norms"] =
        switch head.streamNorm {
        case .none: "none before the streams are joined"
        case .joined: "one over the joined streams (norm_before_fc)"
        case .each: "one for each stream (fc_norm)"
        }
      facts["residual"] = head.normalisesResidual ? "the normalised stream (norm_before_residual)" : "the stream"
      facts["goes on from"] = head.recyclesNormalised ? "its normalised output (norm_output)" : "its output"
    }
    facts["embedding"] = hasEmbedding ? "its own" : "the target's"
    facts["output"] = hasOutput ? "its own" : "the target's"
    return facts
  }
}

extension ModelConfiguration {
  /// The architecture in words, by the keys of `config.json`.
  var facts: [String: String] {
    var facts = [
      "architecture": architecture.rawValue, "hidden_size": "\(hiddenSize)", "num_hidden_layers": "\(layerCount)",
      "num_attention_heads": "\(headCount)", "num_key_value_heads": "\(kvHeadCount)", "head_dim": "\(headSize)",
      "intermediate_size": "\(intermediateSize)", "vocab_size": "\(vocabularySize)",
      "max_position_embeddings": "\(maximumPosition)", "tie_word_embeddings": "\(tiesWordEmbeddings)",
      "rope": "base \(rotary.base), \(scaling(of: rotary))",
    ]
    if let experts {
      facts["experts"] =
        "\(experts.count) of width \(experts.intermediateSize) in a layer, of which a token goes through \(experts.chosenCount)"
        + (experts.sharedSize.map { "; one of width \($0) for all tokens" } ?? "")
        + (experts.denseLayers.isEmpty ? "" : "; none in \(experts.denseLayers.count) of the layers")
    }
    if let window = largestWindow {
      facts["sliding_window"] = "\(window) in \(windowedLayerCount) of \(layerCount) layers"
      facts["rope in windows"] = windowRotary.map { "base \($0.base), \(scaling(of: $0))" }
    }
    guard let recurrence else { return facts }
    let shape = recurrence.shape
    facts["layers"] = "\(recurrence.layerCount) gated delta nets, \(attentionLayerCount) gated attention"
    facts["gated delta net"] =
      "\(shape.valueHeadCount) states of \(shape.keySize) x \(shape.valueSize) on \(shape.keyHeadCount) key heads, convolution over \(shape.kernelSize)"
    return facts
  }

  /// What of the K/V memory is not of every position.
  fileprivate var windowText: String {
    guard let window = largestWindow else { return "" }
    let share = keyValueBytesPerToken / attentionLayerCount * windowedLayerCount
    return ", of which \(FigureText.bytes(share)) for the last \(window) tokens only"
  }

  private func scaling(of rotary: RotaryConfiguration) -> String {
    guard case .factors(let factors) = rotary.scaling else { return "scaling \(rotary.scaling)" }
    return "frequencies divided by \(factors.min() ?? 1) to \(factors.max() ?? 1)"
  }
}
