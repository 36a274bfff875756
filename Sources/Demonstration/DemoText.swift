internal import Inference
internal import Measurement
internal import Presentation
internal import Tensor

/// What `foretoken demo` says before and after the answers.
extension Demo {
  func introduce(
    _ pair: DemoPair, _ engine: SpeculativeEngine, _ configuration: EngineConfiguration, _ style: TextStyle
  ) {
    let window = numSpeculativeTokens.map { "\($0) tokens at a time" } ?? "as many tokens at a time as pay"
    if let shapes = pair.shapes {
      emit(style.bold("Target in the shape of \(shapes.target.rawValue), draft of \(shapes.draft.rawValue), "))
      emit(style.bold("\(configuration.quantization.name) weights; the draft proposes \(window).\n"))
      emit(
        """
        The weights are the small pair's, embedded exactly in large models' shapes: an answer costs what it costs with
        models of this size, and says what the small ones say.

        """)
    } else {
      emit(style.bold("Target \(pair.target), draft \(pair.draft), which proposes \(window).\n"))
    }
    let legend = AnswerPrinter(marksOrigin: true).legend
    if !legend.isEmpty { emit(legend + "\n") }
  }

  static func table(_ rows: [Row], _ caption: String) -> ReportPage.Table {
    var table = ReportPage.Table(
      caption, ["prompt"],
      numbers: [
        "tokens", "plain tok/s", "speculative tok/s", "speedup", "error", "acceptance", "mean length",
        "identical output",
      ])
    func speed(_ value: Double) -> String { FigureText.decimal(value, value < 100 ? 1 : 0) }
    for row in rows {
      table.add([
        row.kind, "\(row.tokens)", speed(row.plain_tokens_per_second), speed(row.speculative_tokens_per_second),
        FigureText.ratio(row.speedup), row.speedup_error.map { "± " + FigureText.percent($0) },
        row.acceptance_rate.map(FigureText.percent), row.mean_acceptance_length.map { FigureText.decimal($0, 2) },
        row.identical ? "yes" : "NO",
      ])
    }
    return table
  }

  /// Spread above which the machine counts as busy.
  private static let busySpread = 0.1

  /// What the figures mean, and where to go on.
  static func conclusion(of rows: [Row], _ pair: DemoPair) -> String {
    let gains = rows.map(\.speedup).sorted()
    guard let least = gains.first, let most = gains.last else { return "" }
    let equal = rows.allSatisfy(\.identical) ? "all of them the same, token for token" : "and some of them DIFFER"
    var text =
      "Speculation made these answers \(FigureText.ratio(gains[gains.count / 2])) as fast (\(FigureText.ratio(least)) to \(FigureText.ratio(most))), \(equal).\n"
    if rows.contains(where: { $0.speedup_spread > busySpread }) {
      text +=
        "The machine is busy: answers took now more, now less time, so expect other figures when it is quiet.\n"
    }
    if pair.shapes == nil {
      text +=
        "A model this small fits the processor's cache; `foretoken demo --shape qwen3-4b` shows what there is to win.\n"
    }
    return text + """

      With models that know something:
        make real-model                                  SmolLM2-135M-Instruct, in half a minute
        foretoken pull Qwen/Qwen3-4B                     and Qwen/Qwen3-0.6B; then
        foretoken chat -m Qwen/Qwen3-4B --draft-model Qwen/Qwen3-0.6B --quantization int4

      """
  }
}
