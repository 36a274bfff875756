internal import ArgumentParser
internal import Deployment
internal import Foundation

/// Flags about measuring in the cluster: a sweep in place of one pair of servers, prices, equality.
struct DeploySweepOptions: ParsableArguments {
  @Option(help: "Measure every window, and every draft of --drafts, one after another on one node: windows=3,5,7,10.")
  var sweep: String?

  @Option(help: "Drafts of the sweep, with commas between them (default: the one of --draft).")
  var drafts: String?

  @Option(
    help: "Prompts of your own that the sweep sends beside --workload: JSON lines with prompt or messages.")
  var dataset: String?

  @Option(
    parsing: .unconditional,
    help: "US dollars for an hour of a whole machine (default: as the table of instances says, with its date).")
  var pricePerHour: Double?

  @Flag(
    inversion: .prefixedNo,
    help: "The benchmark fails if an answer differs (default: for engine foretoken on CPUs, whose answers are equal).")
  var requireEqualOutputs: Bool?

  func fill(_ request: inout DeploymentRequest) throws {
    request.pricePerHour = pricePerHour
    request.requiresEqualOutputs = requireEqualOutputs
    guard let sweep else {
      guard drafts == nil, dataset == nil else {
        throw ValidationError("--drafts and --dataset are for --sweep, which is missing.")
      }
      return
    }
    let names = drafts?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
    guard !names.contains("") else { throw ValidationError("--drafts '\(drafts ?? "")' has an empty name.") }
    request.withBaseline = true
    request.sweep = SweepRequest(
      windows: try SweepRequest.windows(sweep), drafts: names, dataset: try dataset.map(Self.read))
  }

  private static func read(_ path: String) throws -> String {
    do { return try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8) } catch {
      throw ValidationError("Cannot read --dataset '\(path)': \(error.localizedDescription)")
    }
  }
}
