package import Foundation
internal import JSON
package import LoadTesting
internal import Measurement
package import Tuning

/// The results that a report is made of.
package struct ReportInput: Sendable {
  var comparisons: [ServingComparisonResult] = []
  /// Parts of a sweep over drafts and windows.
  var sweep: [SweepRun] = []
  var sweepFailures: [SweepFailure] = []
  var servings: [ServingResult] = []
  var tunings: [TuningResult] = []
  var forwards: [ForwardReport] = []
  /// What is paid for the machine, for results that do not say.
  package var price: Price?

  package init() {}

  /// A single result that was just measured.
  package init(_ comparison: ServingComparisonResult) { comparisons = [comparison] }
  package init(_ tuning: TuningResult) { tunings = [tuning] }

  /// Whether there is nothing to report.
  package var isEmpty: Bool {
    comparisons.isEmpty && sweep.isEmpty && sweepFailures.isEmpty && servings.isEmpty && tunings.isEmpty
      && forwards.isEmpty
  }

  /// Adds a file of results, whichever of the commands wrote it.
  ///
  /// - Throws: `ResultFileError` for a file that none of them wrote.
  package mutating func add(_ data: Data, name: String) throws(ResultFileError) {
    let found: JSONValue
    do { found = try JSONValue(parsing: Array(data)) } catch {
      throw ResultFileError("'\(name)' is not JSON (\(error)); \(Self.expected)")
    }
    guard case .object(let object) = found else {
      throw ResultFileError("'\(name)' holds no JSON object; \(Self.expected)")
    }
    try OutsideNumbers.check(found, name: name)
    if object["schema"]?.string == SweepFailure.schema {
      sweepFailures.append(try Self.decode(SweepFailure.self, data, name))
    } else if object["schema"] != nil {
      tunings.append(try TuningResult(json: data, name: name))
    } else if object["overall"] != nil, object["a"] != nil, object["b"] != nil {
      let comparison = try Self.decode(ServingComparisonResult.self, data, name)
      if let run = SweepRun(comparison) { sweep.append(run) } else { comparisons.append(comparison) }
    } else if object["ceilings"] != nil, object["passes"] != nil {
      forwards.append(try Self.decode(ForwardReport.self, data, name))
    } else if object["output_throughput"] != nil {
      servings.append(try Self.decode(ServingResult.self, data, name))
    } else {
      throw ResultFileError("'\(name)' holds another kind of result; \(Self.expected)")
    }
  }

  private static let expected =
    "expected what foretoken bench serve --save-result, compare --output, tune --output or bench forward --json wrote"

  private static func decode<Result: Decodable>(
    _ type: Result.Type, _ data: Data, _ name: String
  ) throws(ResultFileError) -> Result {
    do { return try JSONDecoder().decode(type, from: data) } catch {
      throw ResultFileError("'\(name)' is damaged: \(ResultFileError.summary(of: error))")
    }
  }
}
