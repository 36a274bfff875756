/// The parts of an assistant's message that have come so far, or that have come and are not written yet.
struct MessageParts {
  var content = ""
  var reasoning = ""
  /// Calls by their index.
  var calls: [Call] = []

  struct Call {
    var index: Int
    var id: String?
    var name: String?
    var arguments: String
  }

  var isEmpty: Bool { content.isEmpty && reasoning.isEmpty && calls.isEmpty }

  mutating func add(_ parts: [AnswerPart]) {
    for part in parts {
      switch part {
      case .content(let text): content += text
      case .reasoning(let text): reasoning += text
      case .toolCall(let index, let id, let name, let arguments):
        if let place = calls.firstIndex(where: { $0.index == index }) {
          calls[place].arguments += arguments
        } else {
          calls.append(Call(index: index, id: id, name: name, arguments: arguments))
        }
      }
    }
  }
}
