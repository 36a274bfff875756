package import Inference
internal import Tensor
internal import Transformer

/// What decoding reaches while other threads want the same processors.
///
/// Passes over one row are repeated beside 0, 1, 2, … threads that compute without pause, with all working threads and
/// with one. Rounds interleave everything.
package struct ContentionBenchmark: Sendable {
  private let configuration: EngineConfiguration
  private let shape: ModelShape?
  private let competitors: [Int]
  private let seconds: Double
  private let rounds: Int

  /// A benchmark of the model that `configuration` names, or of random weights in `shape`.
  ///
  /// - Parameters:
  ///   - competitors: numbers of busy threads; 0 is always measured.
  ///   - seconds: length of one measurement.
  package init(
    _ configuration: EngineConfiguration, shape: ModelShape?, competitors: [Int], seconds: Double, rounds: Int
  ) {
    (self.configuration, self.shape) = (configuration, shape)
    self.competitors = [0] + competitors.filter { $0 > 0 }
    (self.seconds, self.rounds) = (seconds, rounds)
  }

  /// Loads the weights and measures.
  ///
  /// - Parameter progress: called with what is being done and the share of it that is done.
  package func run(progress: (String, Double) -> Void) throws -> ContentionReport {
    let limits = RunnerLimits(rows: 8, logitRows: 8, positions: 64)
    let counts = configuration.threads > 1 ? [configuration.threads, 1] : [1]
    var runners: [CPUModelRunner] = []
    var name = ""
    for (place, count) in counts.enumerated() {
      var configuration = configuration
      configuration.threads = count
      let loaded = try CPUBackend(configuration).load(shape, limits: limits) {
        progress("Loading", ($0 + Double(place)) / Double(counts.count))
      }
      runners.append(loaded.runner)
      name = loaded.name
    }
    var rates: [[[Double]]] = counts.map { _ in competitors.map { _ in [] } }
    var done = 0
    for _ in 0..<rounds {
      for (place, count) in competitors.enumerated() {
        let crowd = Crowd(count)
        defer { crowd.leave() }
        for (index, runner) in runners.enumerated() {
          rates[index][place].append(try Self.rate(of: runner, seconds: seconds))
          done += 1
          progress("Measuring", Double(done) / Double(rounds * competitors.count * counts.count))
        }
      }
    }
    return ContentionReport(
      model: name, quantization: configuration.quantization.rawValue, processor: Processor.name,
      processors: ProcessorShare.current.cores, quota: ProcessorShare.current.quota, rounds: rounds,
      rows: counts.indices.flatMap { index in
        let quiet = Spread(rates[index][0]).median
        return competitors.enumerated().map { place, count in
          let share = Spread(rates[index][place].map { $0 / quiet })
          return ContentionReport.Row(
            threads: counts[index], competitors: count, passesPerSecond: Spread(rates[index][place]), share: share,
            fairShare: Self.fairShare(threads: counts[index], competitors: count))
        }
      })
  }

  /// The share of its quiet speed that a process gets when every thread gets the same time.
  static func fairShare(threads: Int, competitors: Int) -> Double {
    min(1, Double(ProcessorShare.current.cores) / Double(threads + competitors))
  }

  private static func rate(of runner: CPUModelRunner, seconds: Double) throws -> Double {
    var pass = PassMeasurement(kind: .decode, context: 0, rows: 1)
    _ = try pass.time(on: runner, chunk: 8)
    let began = ContinuousClock.now
    var passes = 0
    while true {
      _ = try pass.time(on: runner, chunk: 8)
      passes += 1
      let elapsed = (ContinuousClock.now - began).inSeconds
      if elapsed >= seconds { return Double(passes) / elapsed }
    }
  }
}

/// What `ContentionBenchmark` found.
package struct ContentionReport: Sendable, Encodable {
  /// One number of competitors.
  package struct Row: Sendable, Encodable {
    /// Working threads, and threads that compete with them.
    package let threads, competitors: Int
    /// Passes over one row.
    package let passesPerSecond: Spread
    /// The same over the quiet speed with as many threads.
    package let share: Spread
    /// The share when every thread gets the same time.
    package let fairShare: Double

    private enum CodingKeys: String, CodingKey {
      case threads, competitors, share
      case passesPerSecond = "passes_per_second"
      case fairShare = "fair_share"
    }
  }

  package let model, quantization, processor: String
  /// Cores that the process may use.
  package let processors: Int
  /// Processor time that its control groups grant, in cores.
  package let quota: Double?
  package let rounds: Int
  /// By threads, then competitors.
  package let rows: [Row]
}
