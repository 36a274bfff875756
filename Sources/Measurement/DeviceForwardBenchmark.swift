package import Inference
internal import ModelFiles
internal import PJRT
internal import PJRTTransformer
internal import Transformer

/// Measures forward passes of a model on the devices of a PJRT plugin, rounds interleaved as `ForwardBenchmark`'s are.
///
/// There are no ceilings beside the times: what the devices could do at most is not measured.
package struct DeviceForwardBenchmark: Sendable {
  private let configuration: EngineConfiguration
  private let plan: ForwardBenchmark.Plan

  /// A benchmark of the model that `configuration` names, on its backend.
  package init(_ configuration: EngineConfiguration, plan: ForwardBenchmark.Plan) {
    (self.configuration, self.plan) = (configuration, plan)
  }

  /// Loads the weights and measures.
  ///
  /// - Parameter progress: called with what is being done and the share of it that is done.
  /// - Throws: what loading throws, and `RunnerError` for a plan that the model cannot run.
  package func run(progress: (String, Double) -> Void) throws -> DeviceForwardReport {
    let model = try ModelSource(configuration.model)
    guard let devices = try PJRTBackend(configuration) else {
      throw RunnerError(description: "--backend cpu has no devices to measure; expected pjrt")
    }
    let session = devices.session
    let began = ContinuousClock.now
    let runner = try devices.load(model.checkpoint, model.configuration, limits: plan.limits) {
      progress("Loading", $0)
    }
    let loadSeconds = (ContinuousClock.now - began).inSeconds
    var passes = plan.passes
    // Once each without counting: programs for longer contexts are compiled.
    for index in passes.indices { _ = try passes[index].time(on: runner, chunk: plan.chunk) }
    for round in 0..<plan.repetitions {
      for index in passes.indices {
        passes[index].add(try passes[index].time(on: runner, chunk: plan.chunk), [:])
        progress("Measuring", Double(round * passes.count + index + 1) / Double(plan.repetitions * passes.count))
      }
    }
    let weightBytes = runner.memory.packedWeights
    return DeviceForwardReport(
      model: configuration.model, platform: "\(session.client.platform) \(session.client.platformVersion)",
      devices: try session.client.devices().map(\.kind), dtype: session.element.rawValue,
      programRows: session.options.rowBuckets, repetitions: plan.repetitions, chunk: plan.chunk,
      weightBytes: weightBytes, loadSeconds: loadSeconds,
      passes: passes.map { pass in
        let single = passes.first { $0.kind == .decode && $0.context == pass.context && $0.rows == 1 }
        return DeviceForwardReport.Pass(
          kind: pass.kind.rawValue, context: pass.context, rows: pass.rows, seconds: Spread(pass.seconds),
          ratioToSingle: single.map { single in Spread(zip(pass.seconds, single.seconds).map { $0 / $1 }) })
      })
  }
}

/// What `foretoken bench forward --backend pjrt` found. Times are in seconds.
package struct DeviceForwardReport: Sendable, Codable {
  package struct Pass: Sendable, Codable {
    /// `decode` for a pass whose rows all want logits, `prefill` for a prompt of which only the last row does.
    package let kind: String
    /// Positions in the KV cache before it.
    package let context: Int
    package let rows: Int
    /// Time of a pass, copies from and to the host included; of all chunks for a prefill of several.
    package let seconds: Spread
    /// Time over that of the single-row pass of the same round.
    package let ratioToSingle: Spread?
  }

  package let model: String
  /// The plugin's name and version for its platform.
  package let platform: String
  /// Kinds of the devices that share the model.
  package let devices: [String]
  /// Format of matrices and KV cache.
  package let dtype: String
  /// Rows of the programs that passes are made of.
  package let programRows: [Int]
  package let repetitions: Int
  /// Most rows of one chunk of a prefill.
  package let chunk: Int
  package let weightBytes: Int
  /// Time to upload the weights and to compile or load the first programs.
  package let loadSeconds: Double
  /// In the order of contexts, then rows.
  package let passes: [Pass]
}
