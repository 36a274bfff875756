internal import Decoding
internal import Foundation
internal import JSON
internal import Yams

/// Chooses a configuration from what was predicted and measured.
package enum TuningChooser {
  /// A gain below this is not worth a draft's memory.
  static let leastGain = 1.03
  /// `auto` is preferred over fixed windows that are no faster than this.
  private static let automaticTolerance = 0.98

  private typealias Entry = TuningResult.Entry

  /// A way to speculate with its best window at every concurrency.
  private struct Family {
    let method: SpeculationMethod
    let draft: String?
    /// By concurrency, ascending; plain decoding where no window gains anything.
    var picks: [Entry]
    /// Mean logarithm of the speedups.
    var gain: Double { picks.reduce(0) { $0 + log(max($1.shownSpeedup, 1e-9)) } / Double(max(picks.count, 1)) }
    var largestGain: Double { picks.map(\.shownSpeedup).max() ?? 1 }
  }

  /// The configuration with the largest gain over all concurrencies.
  ///
  /// - Parameter servingFlags: of `foretoken serve`, for an engine like the one that was measured.
  package static func choice(
    _ entries: [TuningResult.Entry], _ concurrencies: [Int], objectives: TuningResult.Objectives,
    servingFlags: [String] = []
  ) -> TuningResult.Choice {
    let families = families(entries, concurrencies)
    let fixed = families.filter { $0.method != .automatic }.max { $0.gain < $1.gain }
    let automatic = families.first { $0.method == .automatic }
    guard let best = [fixed, automatic].compactMap({ $0 }).max(by: { $0.gain < $1.gain }),
      best.largestGain >= leastGain
    else { return refusal(entries, concurrencies) }
    // vLLM has no method of that name, so a fixed window is written for it in any case.
    let usesAutomatic =
      fixed.map { fixed in
        automatic.map { exp($0.gain - fixed.gain) >= automaticTolerance } ?? false
      } ?? true
    let ranges = fixed.map { windows($0, concurrencies) } ?? []
    let chosen = usesAutomatic ? automatic ?? best : fixed ?? best
    let values = SpeculationValues(
      method: chosen.method, draft: chosen.draft, window: largestWindow(chosen), windows: ranges,
      speculativeConfig: fixed.flatMap { vllm($0, ranges) }, servingFlags: servingFlags)
    return TuningResult.Choice(
      speculates: true, reason: reason(chosen, concurrencies, objectives), method: chosen.method, draft: chosen.draft,
      window: largestWindow(chosen), windows: usesAutomatic ? [] : ranges, flags: values.flags,
      speculativeConfig: values.speculativeConfig, values: values.yaml)
  }

  /// The largest concurrency up to which the best speculating candidate beats plain decoding.
  package static func breakEvenConcurrency(_ entries: [TuningResult.Entry], _ concurrencies: [Int]) -> Double? {
    let speedups = concurrencies.map { concurrency in
      entries.filter { $0.concurrency == concurrency && $0.candidate.window > 0 }.map(\.bestSpeedup).max() ?? 1
    }
    guard let last = speedups.lastIndex(where: { $0 > 1 }), last + 1 < speedups.count else { return nil }
    let (above, below) = (speedups[last] - 1, 1 - speedups[last + 1])
    let (from, to) = (log2(Double(concurrencies[last])), log2(Double(concurrencies[last + 1])))
    return exp2(from + (to - from) * above / max(above + below, 1e-9))
  }

  private static func families(_ entries: [Entry], _ concurrencies: [Int]) -> [Family] {
    var names: [(method: SpeculationMethod, draft: String?)] = []
    for entry in entries where entry.candidate.window > 0 {
      guard let method = entry.candidate.method else { continue }
      let draft = entry.candidate.draft
      if !names.contains(where: { $0 == (method, draft) }) { names.append((method, draft)) }
    }
    return names.compactMap { name in
      let picks = concurrencies.compactMap { concurrency -> Entry? in
        let here = entries.filter { $0.concurrency == concurrency }
        let offered = here.filter { $0.candidate.method == name.method && $0.candidate.draft == name.draft }
        // What was measured counts; a prediction only where no window of the family was measured.
        let measured = offered.filter { $0.measured != nil }
        let pool = (measured.isEmpty ? offered : measured).filter { $0.meetsObjectives ?? true }
        let plain = here.first { $0.candidate == .plain }
        // `auto` cannot be told to leave single batch sizes alone; it does so by itself.
        if name.method == .automatic { return pool.first }
        let shown = pool.filter { !$0.leavesGainOpen }
        return (shown + [plain].compactMap { $0 }).max { $0.bestTokensPerSecond < $1.bestTokensPerSecond }
      }
      return picks.count == concurrencies.count ? Family(method: name.method, draft: name.draft, picks: picks) : nil
    }
  }

  private static func largestWindow(_ family: Family) -> Int { family.picks.map(\.candidate.window).max() ?? 0 }

  /// Ranges of batch sizes; between two concurrencies that were looked at, the border is their geometric mean.
  private static func windows(_ family: Family, _ concurrencies: [Int]) -> [TuningResult.WindowRange] {
    var ranges: [TuningResult.WindowRange] = []
    for (index, pick) in family.picks.enumerated() {
      let first = (ranges.last?.last ?? 0) + 1
      let isLast = index + 1 == concurrencies.count
      let border =
        isLast
        ? concurrencies[index]
        : Int((Double(concurrencies[index]) * Double(concurrencies[index + 1])).squareRoot().rounded(.down))
      let window = pick.candidate.window
      if let last = ranges.last, last.window == window {
        ranges[ranges.count - 1].last = max(border, last.last)
      } else if border >= first {
        ranges.append(TuningResult.WindowRange(first: first, last: border, window: window))
      }
    }
    return ranges
  }

  /// vLLM's object; `nil` for a family that proposes nothing anywhere.
  private static func vllm(_ family: Family, _ ranges: [TuningResult.WindowRange]) -> String? {
    let window = largestWindow(family)
    guard window > 0 else { return nil }
    return VLLMSpeculativeConfig(method: family.method, model: family.draft, window: window, ranges: ranges).json
  }

  private static func reason(
    _ family: Family, _ concurrencies: [Int], _ objectives: TuningResult.Objectives
  ) -> String {
    let draft = family.draft.map(TuningResult.Candidate.shortened)
    let name =
      switch (family.method, draft) {
      case (.draftModel, let draft?): "the draft \(draft)"
      case (.eagle3, let draft?), (.dflash, let draft?), (.mtp, let draft?): "the head \(draft)"
      case (let method, let draft?): "the method \(method.rawValue) and the draft \(draft)"
      case (let method, nil): "the method \(method.rawValue)"
      }
    let picks = zip(concurrencies, family.picks)
    let gains = picks.filter { $1.candidate != .plain && !$1.leavesGainOpen }.map {
      String(format: "%.2fx with %d at a time", $1.bestSpeedup, $0)
    }
    let open = picks.filter { $1.leavesGainOpen }.map { "\($0) (\(interval($1)))" }
    let plain = picks.filter { $1.candidate == .plain }.map { "\($0.0)" }
    let limits =
      objectives.timeToFirstToken != nil || objectives.timePerOutputToken != nil ? " within the limits on latency" : ""
    return "Speculate with \(name): the tokens per second of plain decoding\(limits) become \(list(gains))."
      + (plain.isEmpty ? "" : " With \(list(plain)) at a time no window is shown to pay, and nothing is proposed.")
      + (open.isEmpty ? "" : " With \(list(open)) at a time the measurement leaves open whether it pays.")
  }

  /// "0.24x to 5.73x".
  private static func interval(_ entry: Entry) -> String {
    entry.measuredSpeedup.map { String(format: "%.2fx to %.2fx", $0.lower, $0.upper) } ?? ""
  }

  /// "a, b and c".
  private static func list(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " and " + last
  }

  private static func refusal(_ entries: [Entry], _ concurrencies: [Int]) -> TuningResult.Choice {
    let best = entries.filter { $0.candidate.window > 0 && ($0.meetsObjectives ?? true) }
      .max { $0.bestSpeedup < $1.bestSpeedup }
    let reason =
      best.map {
        let found = String(
          format: "the best way found, %@, reaches %.2fx of plain decoding at %d at a time", $0.candidate.title,
          $0.bestSpeedup, $0.concurrency)
        return $0.leavesGainOpen && $0.bestSpeedup >= leastGain
          ? "No gain is shown: \(found), and may as well be \(interval($0)) (95 % interval). Measure longer, or on a machine with less else to do."
          : "Do not speculate: \(found)."
      } ?? "Do not speculate: no candidate keeps the limits on latency."
    let values = SpeculationValues(method: nil, draft: nil, window: 0, windows: [], speculativeConfig: nil)
    return TuningResult.Choice(
      speculates: false, reason: reason, method: nil, draft: nil, window: 0,
      windows: [TuningResult.WindowRange(first: 1, last: concurrencies.last ?? 1, window: 0)], flags: [],
      speculativeConfig: nil, values: values.yaml)
  }
}

/// vLLM's `--speculative-config`.
struct VLLMSpeculativeConfig {
  var method: SpeculationMethod
  var model: String?
  var window: Int
  var ranges: [TuningResult.WindowRange]

  /// The object on one line, keys sorted.
  var json: String {
    var object = JSONObject([("method", .string(method.rawValue)), ("num_speculative_tokens", .integer(window))])
    if let model { object["model"] = .string(model) }
    if method == .ngram {
      object["prompt_lookup_min"] = .integer(TuningEngine.lookupLengths.lowerBound)
      object["prompt_lookup_max"] = .integer(TuningEngine.lookupLengths.upperBound)
    }
    if method == .suffix { object["suffix_decoding_max_cached_requests"] = 0 }
    if ranges.count > 1 {
      object["num_speculative_tokens_per_batch_size"] = .array(
        ranges.map { [.integer($0.first), .integer($0.last), .integer($0.window)] })
    }
    return JSONValue.object(object).serialized(
      JSONStyle(itemSeparator: ",", keySeparator: ":", sortsKeys: true))
  }
}

/// The choice as flags, and as values for Helm or Kustomize.
struct SpeculationValues: Encodable {
  struct Speculation: Encodable {
    var enabled: Bool
    var method: String
    var draftModel: String?
    var numSpeculativeTokens: Int
    var numSpeculativeTokensPerBatchSize: [[Int]]?
    var vllmSpeculativeConfig: String?
    var foretokenArgs: [String]
  }

  let speculation: Speculation
  /// Flags for `foretoken serve`.
  let flags: [String]
  let speculativeConfig: String?

  private enum CodingKeys: String, CodingKey { case speculation }

  init(
    method: SpeculationMethod?, draft: String?, window: Int, windows: [TuningResult.WindowRange],
    speculativeConfig: String?, servingFlags: [String] = []
  ) {
    let speculating: [String]
    let isFixed = method != .automatic && windows.count <= 1
    switch method {
    case nil: speculating = []
    case .draftModel, .eagle3, .dflash, .mtp, .automatic:
      // A window that depends on the batch is what `auto` does, step by step.
      if let draft {
        speculating = ["--draft-model", draft] + (isFixed ? ["--num-speculative-tokens", "\(window)"] : [])
      } else {
        speculating = ["--speculative-config", #"{"method":"auto"}"#]
      }
    case .ngram, .suffix:
      let json = method.map { VLLMSpeculativeConfig(method: $0, model: draft, window: window, ranges: []).json }
      speculating = ["--speculative-config"] + [json].compactMap(\.self)
    }
    flags = speculating.isEmpty ? [] : speculating + servingFlags
    self.speculativeConfig = speculativeConfig
    speculation = Speculation(
      enabled: method != nil, method: method?.rawValue ?? SpelledMethod.plain, draftModel: draft,
      numSpeculativeTokens: window,
      numSpeculativeTokensPerBatchSize: windows.count > 1 ? windows.map { [$0.first, $0.last, $0.window] } : nil,
      vllmSpeculativeConfig: speculativeConfig, foretokenArgs: flags)
  }

  /// YAML, one top-level key.
  var yaml: String {
    let encoder = YAMLEncoder()
    encoder.options.sequenceStyle = .flow
    return (try? encoder.encode(self)) ?? ""
  }
}
