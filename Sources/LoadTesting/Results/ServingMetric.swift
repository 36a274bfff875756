/// The latencies that a benchmark of a server reports, by vLLM's names.
package enum ServingMetric: String, Sendable, CaseIterable, Codable {
  /// Time from handing a request to the connection until its first token arrived.
  case ttft
  /// Time after the first token, over the tokens after the first: one value per request.
  case tpot
  /// Time between two events that carry text: vLLM's ITL. A server that packs tokens has fewer and longer ones.
  case itl
  /// Time between two tokens; tokens that arrive in one event are 0 ms apart, so packing changes nothing.
  case itlByToken = "itl_by_token"
  /// Time from handing a request to the connection until its last token arrived.
  case e2el
  /// Time that a request waited on our side for a place among `--max-concurrency` others.
  case clientQueueTime = "client_queue_time"

  package var title: String {
    switch self {
    case .ttft: "TTFT"
    case .tpot: "TPOT"
    case .itl: "ITL"
    case .itlByToken: "ITL by token"
    case .e2el: "E2EL"
    case .clientQueueTime: "Client Queue Time"
    }
  }

  /// Over a group of lines, in vLLM's words where vLLM has it.
  package var heading: String {
    switch self {
    case .ttft: "Time to First Token"
    case .tpot: "Time per Output Token (excl. 1st token)"
    case .itl: "Inter-token Latency"
    case .itlByToken: "Inter-token Latency by Token"
    case .e2el: "End-to-end Latency"
    case .clientQueueTime: "Client-side Queueing"
    }
  }
}
