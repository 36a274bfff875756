internal import Decoding
internal import Foundation
internal import Measurement

extension TuningResult.Performance {
  /// From the times of a run's requests.
  init(tokens: Int, seconds: Double, firstToken: [Double], perToken: [Double]) {
    func mean(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) }
    self.init(
      tokensPerSecond: seconds > 0 ? Double(tokens) / seconds : 0, timeToFirstToken: mean(firstToken),
      timePerOutputToken: mean(perToken), timeToFirstTokenP90: firstToken.isEmpty ? nil : firstToken.share(0.9),
      timePerOutputTokenP90: perToken.isEmpty ? nil : perToken.share(0.9))
  }
}

extension [Double] {
  /// The value that this share of the values, at least one, does not exceed.
  func share(_ share: Double) -> Double {
    let sorted = sorted()
    return sorted[Swift.min(Int((share * Double(count)).rounded(.up)), count) - 1]
  }
}

extension TuningResult.Entry {
  /// Adds what the runs of a candidate measured.
  ///
  /// - Parameter plain: those of plain decoding in the same rounds.
  mutating func add(_ runs: [EngineRun], plain: [EngineRun]) {
    guard !runs.isEmpty else { return }
    let performance = TuningResult.Performance(
      tokens: 0, seconds: 1, firstToken: runs.flatMap(\.firstTokenSeconds), perToken: runs.flatMap(\.perTokenSeconds))
    add(performance, rates: runs.map(\.tokensPerSecond), plain: plain.map(\.tokensPerSecond))
    if meanAcceptanceLength == nil, candidate.window > 0 {
      var counts = runs[0].speculation
      for run in runs.dropFirst() { counts.add(run.speculation) }
      meanAcceptanceLength = counts.meanAcceptanceLength
    }
  }

  /// Adds the tokens per second of each run, and latencies over all of them.
  mutating func add(_ performance: TuningResult.Performance, rates: [Double], plain: [Double]) {
    var performance = performance
    let spread = Spread(rates)
    performance.tokensPerSecond = spread.median
    (measured, measuredTokensPerSecond) = (performance, spread)
    measuredSpeedup = TuningResult.Interval(ratios: zip(rates, plain).map { $0 / $1 })
    if let predicted { predictionError = predicted.tokensPerSecond / spread.median - 1 }
  }

  /// Fills in what follows from the figures.
  mutating func finish(price: Price?, objectives: TuningResult.Objectives) {
    dollarsPerMillionTokens = price?.perMillionTokens(at: bestTokensPerSecond)
    guard objectives.timeToFirstToken != nil || objectives.timePerOutputToken != nil else { return }
    let found = measured ?? predicted
    func keeps(_ limit: Double?, _ value: Double?) -> Bool { limit.map { (value ?? 0) <= $0 } ?? true }
    meetsObjectives =
      keeps(objectives.timeToFirstToken, found?.timeToFirstTokenP90)
      && keeps(objectives.timePerOutputToken, found?.timePerOutputTokenP90)
  }
}

extension TuningResult.Interval {
  /// The geometric mean of ratios with its 95 % confidence interval, by Student's t over their logarithms; `nil` for
  /// none. A single ratio has an interval without width, which says nothing.
  package init?(ratios: [Double]) {
    guard !ratios.isEmpty, ratios.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
    let logarithms = ratios.map { log($0) }
    let count = Double(ratios.count)
    let mean = logarithms.reduce(0, +) / count
    guard ratios.count > 1 else {
      self.init(estimate: exp(mean), lower: exp(mean), upper: exp(mean))
      return
    }
    let variance = logarithms.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    let quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]
    let quantile = ratios.count - 2 < quantiles.count ? quantiles[ratios.count - 2] : 2.1
    let half = quantile * (variance / count).squareRoot()
    self.init(estimate: exp(mean), lower: exp(mean - half), upper: exp(mean + half))
  }
}

extension TuningResult.Candidate {
  /// Plain decoding first, then by method, draft and window.
  var order: String {
    let methods: [SpeculationMethod?] = [nil, .draftModel, .eagle3, .dflash, .mtp, .ngram, .suffix, .automatic]
    let place = methods.firstIndex(of: method) ?? methods.count
    return "\(place)|\(draft ?? "")|" + String(format: "%03d", window)
  }

  /// "draft_model (DIR), window 4", "plain decoding".
  package var title: String {
    guard let method else { return "plain decoding" }
    let name = method.rawValue + (draft.map { " (\(Self.shortened($0)))" } ?? "")
    return method == .automatic ? name : "\(name), window \(window)"
  }

  /// The last part of a model's path or name.
  package static func shortened(_ model: String) -> String {
    model.split(separator: "/").last.map(String.init) ?? model
  }
}
