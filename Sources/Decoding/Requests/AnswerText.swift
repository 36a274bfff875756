package import Tokenization

/// Turns an answer's tokens into text as they come, and watches for stop strings across token boundaries.
///
/// Text that might be the beginning of a stop string is held back until it is known not to be.
package struct AnswerText {
  private var decoder: StreamingDecoder
  private var stops: StopMatcher
  /// UTF-8 that has been decoded and not handed out.
  private var held: [UInt8] = []
  /// How many of the first bytes of `held` came before stop strings counted: no match may end among them.
  private var exempt = 0
  private var gate: ThoughtGate
  /// Whether the stop string that ends the text is part of it.
  private let includesStop: Bool

  /// The text of an answer without thoughts that ends before the first of `stops`.
  package init(tokenizer: Tokenizer, stops: [String]) {
    var request = GenerationRequest(prompt: [])
    request.stopping.strings = stops
    self.init(tokenizer: tokenizer, request: request)
  }

  /// The text of the answer to `request`.
  package init(tokenizer: Tokenizer, request: GenerationRequest) {
    decoder = StreamingDecoder(
      tokenizer: tokenizer, skipsSpecialTokens: request.skipsSpecialTokens, keeping: request.visibleTokens,
      continuesText: !request.startsText)
    stops = StopMatcher(request.stopping.strings)
    gate = ThoughtGate(stops.isEmpty ? nil : request.stopping.thought)
    includesStop = request.stopping.includesStopString
  }

  /// The text that `token` completes, and the stop string that it completes, if any.
  ///
  /// After a stop string was found nothing more may be appended.
  ///
  /// - Parameter honoursStops: whether a stop string that this token completes counts (`min_tokens`).
  package mutating func append(_ token: TokenID, honoursStops: Bool = true) -> (text: String, stop: String?) {
    let (thought, answer) = gate.split(decoder.append(token))
    let (text, stop) = release(after: answer, honoursStops: honoursStops)
    return (thought + text, stop)
  }

  /// The rest of the text, when the answer ends for another reason than a stop string.
  package mutating func finish() -> (text: String, stop: String?) {
    let (thought, answer) = gate.split(decoder.finish())
    var (text, stop) = release(after: gate.finish() + answer, honoursStops: true)
    text = thought + text
    if stop == nil {
      text += String(decoding: held, as: UTF8.self)
      held = []
    }
    return (text, stop)
  }

  private mutating func release(after piece: String, honoursStops: Bool) -> (text: String, stop: String?) {
    guard !stops.isEmpty else { return (piece, nil) }
    held += piece.utf8
    if !honoursStops { exempt = held.count }
    // Where each match ends and begins is counted from the start of the answer; `held` begins at `start`.
    let start = stops.position - (held.count - piece.utf8.count)
    var best: StopMatcher.Match?
    for byte in piece.utf8 {
      stops.advance(by: byte) { match in
        guard match.end - start > exempt else { return }
        // The stop string that begins first wins; of several that begin there, the first in the request's order.
        if let known = best, (known.begin, known.stop) < (match.begin, match.stop) { return }
        best = match
      }
    }
    if let best {
      let text = String(decoding: held[..<((includesStop ? best.end : best.begin) - start)], as: UTF8.self)
      held = []
      return (text, stops.texts[best.stop])
    }
    let kept = stops.settle()
    let text = String(decoding: held.dropLast(kept), as: UTF8.self)
    exempt = max(0, exempt - (held.count - kept))
    held.removeFirst(held.count - kept)
    return (text, nil)
  }
}
