/// A server's counters of speculation at one time, under vLLM's names.
package struct SpeculationCounters: Equatable {
  package private(set) var drafts = 0.0
  var draftTokens = 0.0
  var acceptedTokens = 0.0
  var acceptedPerPosition: [Int: Double] = [:]

  /// Summed over engines and models; `nil` if the page has none of them.
  package init?(_ samples: [MetricSample]) {
    var isPresent = false
    for sample in samples where (0...OutsideNumbers.mostCounted).contains(sample.value) {
      let name = sample.name.hasSuffix("_total") ? String(sample.name.dropLast(6)) : sample.name
      switch name {
      case "vllm:spec_decode_num_drafts": drafts += sample.value
      case "vllm:spec_decode_num_draft_tokens": draftTokens += sample.value
      case "vllm:spec_decode_num_accepted_tokens": acceptedTokens += sample.value
      case "vllm:spec_decode_num_accepted_tokens_per_pos":
        guard let position = sample.labels["position"].flatMap({ Int($0) }),
          (0..<OutsideNumbers.mostPositions).contains(position)
        else {
          continue
        }
        acceptedPerPosition[position, default: 0] += sample.value
      default: continue
      }
      isPresent = true
    }
    guard isPresent else { return nil }
  }

  /// What was counted since `earlier`; `nil` if nothing was proposed meanwhile, or a counter began anew.
  package func since(_ earlier: SpeculationCounters) -> SpeculationFigures? {
    let proposed = draftTokens - earlier.draftTokens
    guard proposed > 0, drafts >= earlier.drafts, acceptedTokens >= earlier.acceptedTokens else {
      return nil
    }
    let last = acceptedPerPosition.keys.max() ?? -1
    let perPosition = (0..<max(last + 1, 0)).map { position in
      OutsideNumbers.count((acceptedPerPosition[position] ?? 0) - (earlier.acceptedPerPosition[position] ?? 0))
    }
    let used = perPosition.lastIndex { $0 > 0 }.map { $0 + 1 } ?? 0
    return SpeculationFigures(
      source: .metrics, drafts: OutsideNumbers.count(drafts - earlier.drafts),
      draftTokens: OutsideNumbers.count(proposed),
      acceptedTokens: OutsideNumbers.count(acceptedTokens - earlier.acceptedTokens),
      acceptedPerPosition: Array(perPosition.prefix(used))
    )
  }
}
