package import Decoding
package import Foundation
internal import Tuning

/// What `foretoken tune` chose, as far as a deployment needs it: a part of its result's JSON, `foretoken.tuning/1`.
package struct TuningChoice: Sendable, Equatable {
  /// `nil` when speculation does not pay.
  package let method: SpeculationMethod?
  package let draft: String?
  package let window: Int?
  /// `[first batch size, last batch size, window]`; `nil` when one window serves all.
  package let windowsByBatchSize: [[Int]]?
  /// Why, in the tuner's words.
  package let reason: String

  private struct File: Decodable {
    struct Choice: Decodable {
      struct Range: Decodable { let first, last, window: Int }
      let speculates: Bool
      let reason: String?
      let method: String
      let draft: String?
      let window: Int
      let windows: [Range]?
    }
    let schema: String?
    let choice: Choice?
  }

  /// Reads a result.
  ///
  /// - Throws: `DeploymentError` that names what was found and expected.
  package init(json: Data, name: String) throws(DeploymentError) {
    let file: File
    do { file = try JSONDecoder().decode(File.self, from: json) } catch {
      throw DeploymentError("'\(name)' is not a tuning result: expected the JSON that foretoken tune writes")
    }
    guard file.schema == TuningResult.currentSchema else {
      throw DeploymentError(
        "'\(name)': the schema is \(file.schema.map { "'\($0)'" } ?? "missing"); expected '\(TuningResult.currentSchema)'"
      )
    }
    guard let choice = file.choice else { throw DeploymentError("'\(name)' lacks 'choice'") }
    reason = choice.reason ?? ""
    guard choice.speculates else {
      (method, draft, window, windowsByBatchSize) = (nil, nil, nil, nil)
      return
    }
    guard let method = SpeculationMethod(rawValue: choice.method) else {
      throw DeploymentError(
        "'\(name)': the method is '\(choice.method)'; expected one of \(SpeculationMethod.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    self.method = method
    draft = choice.draft
    window = method == .automatic ? nil : choice.window
    let ranges = (choice.windows ?? []).map { [$0.first, $0.last, $0.window] }
    windowsByBatchSize = ranges.count > 1 ? ranges : nil
  }

  /// Puts the choice into `request`, where the request does not say otherwise.
  package func apply(to request: inout DeploymentRequest) {
    guard let method else { return }
    request.method = request.method ?? method
    if request.method == method {
      // The layer that a target carries needs no place of its own.
      if method.need != .carriedHead { request.draft = request.draft ?? draft }
      request.window = request.window ?? window
      request.windowsByBatchSize = request.windowsByBatchSize ?? windowsByBatchSize
    }
  }
}
