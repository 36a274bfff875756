package import JSON

/// Finds calls of tools in an assistant's text as it comes, as OpenAI's API streams them.
///
/// What turns out to be no call is content: nothing of the text is lost, except white space around calls. gpt-oss's format
/// has a parser of its own, `HarmonyParser`.
///
/// ```swift
/// var parser = ToolCallParser(format: .qwen)
/// for event in parser.append(text) { … }
/// for event in parser.finish() { … }
/// ```
package struct ToolCallParser: Sendable {
  /// A piece of the answer.
  package enum Event: Sendable, Equatable {
    /// Text beside calls.
    case content(String)
    /// A call begins: its place among the calls, its id, the function's name. Comes once, before its arguments.
    case call(index: Int, id: String, name: String)
    /// A piece of the arguments' JSON text of call `index`.
    case arguments(index: Int, text: String)
  }

  private enum State {
    case content
    /// After Mistral's tag: a list of calls, or the name of one.
    case tagged(isList: Bool)
    /// The name, up to the tag of the arguments.
    case name
    case call
    /// After a call, up to the closing tag (Qwen), the separator (Llama) or the end of the list (Mistral).
    case afterCall
  }

  /// Calls begun so far.
  package var callCount: Int { begun }
  private var begun = 0

  private let format: ToolCallFormat
  private let names: Set<String>?
  private let schemas: [String: JSONValue]
  private let makeID: @Sendable (Int) -> String
  private var state = State.content
  /// Text that may yet turn out to belong to a tag.
  private var held: [UInt8] = []
  /// White space that is content only if content follows.
  private var space: [UInt8] = []
  private var scanner: any CallScanner = ToolCallScanner()
  /// The name under way, and whether the arguments after it stand by themselves.
  private var name: [UInt8] = []
  private var isBare = false
  /// The call under way as it was written, in case it is none.
  private var raw: [UInt8] = []
  private var hasContent = false
  /// What this piece of text has led to.
  private var pending: [Pending] = []

  private enum Pending {
    case content([UInt8])
    case call(String)
    case arguments([UInt8])
  }

  private let opening: [UInt8]
  private static let closing = Array("</tool_call>".utf8)
  private static let pythonTag = Array("<|python_tag|>".utf8)
  private static let argumentsTag = Array(ToolCallFormat.argumentsTag.utf8)
  private static let idTag = Array(ToolCallFormat.idTag.utf8)
  /// Longer names are none.
  private static let longestName = 512

  /// A parser for one answer.
  ///
  /// - Parameters:
  ///   - names: the functions that can be called; a call of another is content. `nil` for any.
  ///   - schemas: of the arguments of each, for formats whose arguments are no JSON.
  ///   - makeID: makes the id of the call at an index; by default random ones as the format has them.
  package init(
    format: ToolCallFormat, names: Set<String>? = nil, schemas: [String: JSONValue] = [:],
    makeID: (@Sendable (Int) -> String)? = nil
  ) {
    self.schemas = schemas
    self.format = format
    self.names = names
    self.makeID = makeID ?? { _ in format.randomID() }
    opening = Array(format.tag.utf8)
  }

  /// What is known about the text up to here.
  package mutating func append(_ text: String) -> [Event] {
    for byte in text.utf8 { take(byte) }
    return flush()
  }

  /// The rest, when the answer has ended.
  ///
  /// - Parameter isCut: whether it was broken off: then the beginning of a call is no content either.
  package mutating func finish(isCut: Bool = false) -> [Event] {
    switch state {
    // One character may be anything; more that begin a tag are a tag.
    case .content:
      if isCut, held.drop(while: Self.isSpace).count > 1 { space = [] } else { release(held) }
    // Of a call whose name has been given out, the arguments break off; before that it is content.
    case .call where !scanner.hasNamed:
      if isCut, beginsCall(raw) { space = [] } else { release(raw) }
    case .tagged, .name: if isCut { space = [] } else { release(raw) }
    case .call: break
    case .afterCall: break
    }
    // Beside a call it is only layout.
    if begun == 0, !space.isEmpty { pending.append(.content(space)) }
    (held, raw, space, state) = ([], [], [], .afterCall)
    return flush()
  }

  /// Whether text that breaks off can be no other than the beginning of a call.
  private func beginsCall(_ text: [UInt8]) -> Bool {
    guard format.tag.isEmpty else { return true }
    let written = text.drop(while: Self.isSpace).filter { !Self.isSpace($0) }
    let marked = written.starts(with: Self.pythonTag) ? Array(written.dropFirst(Self.pythonTag.count)) : written
    guard marked.count > 1 else { return marked.count < written.count }
    guard let names else { return Array(#"{"name":"#.utf8).starts(with: marked) }
    return names.contains { name in
      let head = format.head(of: name).utf8.filter { !Self.isSpace($0) }
      return head.starts(with: marked) || marked.starts(with: head)
    }
  }

  /// `call_` and 24 random letters and digits.
  package static func randomID() -> String {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    return "call_" + String((0..<24).map { _ in letters[Int.random(in: 0..<letters.count)] })
  }

  // MARK: Bytes

  private mutating func take(_ byte: UInt8) {
    switch state {
    case .content: takeContent(byte)
    case .tagged(let isList): takeTagged(byte, isList: isList)
    case .name: takeName(byte)
    case .call: takeCall(byte)
    case .afterCall: takeAfterCall(byte)
    }
  }

  private mutating func takeContent(_ byte: UInt8) {
    if format.tag.isEmpty {
      // A call is the whole answer or nothing.
      guard !hasContent else { return release([byte]) }
      held.append(byte)
      let text = Array(held.drop { Self.isSpace($0) })
      if text == [UInt8(ascii: "{")] || text == Self.pythonTag {
        beginCall(text.count == 1 ? text : [])
      } else if !Self.pythonTag.starts(with: text) {
        let text = held
        held = []
        release(text)
      }
      return
    }
    held.append(byte)
    if held == opening {
      guard format != .qwen, format != .qwenCoder else { return beginCall([]) }
      (raw, held, state) = (held, [], .tagged(isList: false))
    }
    while !opening.starts(with: held) { release([held.removeFirst()]) }
  }

  /// What follows Mistral's tag: `[{`, or a name.
  private mutating func takeTagged(_ byte: UInt8, isList: Bool) {
    raw.append(byte)
    switch byte {
    case _ where Self.isSpace(byte): break
    case UInt8(ascii: "["): if isList { takeBack() } else { state = .tagged(isList: true) }
    case UInt8(ascii: "{"):
      held = raw
      beginCall([byte])
    case _ where isList: takeBack()
    default: (state, name) = (.name, [byte])
    }
  }

  /// A name up to `[ARGS]`, or to the arguments themselves; `[CALL_ID]` and an id may stand before.
  private mutating func takeName(_ byte: UInt8) {
    raw.append(byte)
    name.append(byte)
    let isTagged = name.suffix(Self.argumentsTag.count).elementsEqual(Self.argumentsTag)
    guard isTagged || byte == UInt8(ascii: "{") else {
      if byte == UInt8(ascii: "\n") || name.count > Self.longestName { takeBack() }
      return
    }
    var called = name.dropLast(isTagged ? Self.argumentsTag.count : 1)
    for start in called.indices where called[start...].starts(with: Self.idTag) {
      called = called[..<start]
      break
    }
    while let last = called.last, Self.isSpace(last) { called.removeLast() }
    held = raw
    let text = String(decoding: called, as: UTF8.self)
    beginCall(Array((#"{"name": "# + text.quotedAsJSON + #", "arguments": "#).utf8) + (isTagged ? [] : [byte]))
    isBare = true
    if scanner.status == .broken { takeBack() }
  }

  private mutating func beginCall(_ start: [UInt8]) {
    raw = held
    held = []
    scanner = format == .qwenCoder ? TaggedCallScanner(schemas: schemas) : ToolCallScanner()
    isBare = false
    state = .call
    for byte in start { deliver(scanner.append(byte)) }
  }

  /// What was taken for a call is none; but one may begin within it.
  private mutating func takeBack() {
    let text = raw
    (state, raw) = (.content, [])
    release([text[0]])
    if format.tag.isEmpty { hasContent = true }
    for byte in text.dropFirst() { take(byte) }
  }

  private mutating func takeCall(_ byte: UInt8) {
    // A model that has learned both formats may write the other.
    if format == .qwenCoder, byte == UInt8(ascii: "{"), raw.dropFirst(opening.count).allSatisfy(Self.isSpace) {
      scanner = ToolCallScanner()
    }
    raw.append(byte)
    deliver(scanner.append(byte))
    // Arguments that stand by themselves end the call.
    if isBare, scanner.hasEndedArguments { deliver(scanner.append(UInt8(ascii: "}"))) }
    switch scanner.status {
    case .reading: break
    case .complete: (state, held, raw) = (isBare ? .content : .afterCall, [], [])
    case .broken where scanner.hasNamed:
      (state, held, raw) = (.afterCall, [], [])
      takeAfterCall(byte)
    case .broken: takeBack()
    }
  }

  private mutating func takeAfterCall(_ byte: UInt8) {
    switch format {
    case .llama, .mistral, .mistralNamed, .harmony:
      // `; {` or `, {`: the separator, and the next call.
      let isList = format != .llama
      if Self.isSpace(byte) || byte == UInt8(ascii: isList ? "," : ";") { return held.append(byte) }
      if isList, byte == UInt8(ascii: "]") {
        (state, held) = (.content, [])
        return
      }
      guard byte == UInt8(ascii: "{") else {
        let text = held + [byte]
        (state, held, hasContent) = (.content, [], true)
        return release(text)
      }
      held.append(byte)
      beginCall([byte])
    case .qwen, .qwenCoder:
      held.append(byte)
      while !Self.closing.starts(with: held) { held.removeFirst() }
      if held == Self.closing { (state, held) = (.content, []) }
    }
  }

  // MARK: Events

  private mutating func deliver(_ outputs: [ToolCallScanner.Output]) {
    for output in outputs {
      switch output {
      case .name(let name):
        guard names?.contains(name) ?? true else { return scanner.reject() }
        space = []
        pending.append(.call(name))
      case .arguments(let text):
        if case .arguments(let earlier)? = pending.last {
          pending[pending.count - 1] = .arguments(earlier + text)
        } else {
          pending.append(.arguments(text))
        }
      }
    }
  }

  /// Gives out text as content; white space at its end waits for what follows.
  private mutating func release(_ text: [UInt8]) {
    for byte in text {
      space.append(byte)
      if Self.isSpace(byte) { continue }
      hasContent = true
      if case .content(let earlier)? = pending.last {
        pending[pending.count - 1] = .content(earlier + space)
      } else {
        pending.append(.content(space))
      }
      space = []
    }
  }

  private mutating func flush() -> [Event] {
    defer { pending = [] }
    return pending.map { piece in
      switch piece {
      case .content(let text): return .content(String(decoding: text, as: UTF8.self))
      case .call(let name):
        begun += 1
        return .call(index: begun - 1, id: makeID(begun - 1), name: name)
      case .arguments(let text): return .arguments(index: begun - 1, text: String(decoding: text, as: UTF8.self))
      }
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
