internal import Foundation

/// How to speculate: the JSON object that vLLM's `--speculative-config` takes.
public struct SpeculativeConfiguration: Sendable, Equatable {
  /// Where proposals come from.
  public enum Method: Sendable, Equatable {
    /// A small model: a directory, or the name of one in the Hugging Face cache.
    case draftModel(String)
    /// Prompt lookup, matching this many tokens.
    case ngram(lengths: ClosedRange<Int>)
  }

  /// Where proposals come from.
  public let method: Method
  /// Proposals per verification (`num_speculative_tokens`).
  public let window: Int

  /// The draft that the method needs.
  public var draftModel: String? { if case .draftModel(let model) = method { model } else { nil } }
  /// How many tokens the n-gram method matches.
  public var ngramLengths: ClosedRange<Int>? { if case .ngram(let lengths) = method { lengths } else { nil } }

  /// Windows that make sense; vLLM's largest published one is 15.
  public static let windows = 1...32
  /// The window when none is given.
  public static let defaultWindow = 5

  /// A configuration, checked.
  ///
  /// - Throws: `SpeculativeConfigurationError` when a number is out of range.
  public init(method: Method, window: Int = defaultWindow) throws(SpeculativeConfigurationError) {
    guard Self.windows.contains(window) else {
      throw SpeculativeConfigurationError(
        "num_speculative_tokens is \(window); expected \(Self.windows.lowerBound) to \(Self.windows.upperBound)")
    }
    self.method = method
    self.window = window
  }

  /// Reads the JSON object.
  ///
  /// Keys: `method` (`draft_model` or `ngram`; inferred from `model` when absent), `model`, `num_speculative_tokens`,
  /// `prompt_lookup_min`, `prompt_lookup_max`.
  ///
  /// - Throws: `SpeculativeConfigurationError` that names the key, what it holds and what was expected.
  public init(json: String) throws(SpeculativeConfigurationError) {
    let object: [String: Any]
    do {
      guard let parsed = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any] else {
        throw SpeculativeConfigurationError("expected a JSON object such as {\"method\": \"ngram\"}")
      }
      object = parsed
    } catch let error as SpeculativeConfigurationError {
      throw error
    } catch {
      throw SpeculativeConfigurationError("'\(json)' is not JSON; expected an object such as {\"method\": \"ngram\"}")
    }
    let known: Set = ["method", "model", "num_speculative_tokens", "prompt_lookup_min", "prompt_lookup_max"]
    if let unknown = object.keys.filter({ !known.contains($0) }).min() {
      throw SpeculativeConfigurationError(
        "the key '\(unknown)' is not supported; supported are \(known.sorted().joined(separator: ", "))")
    }
    let model = try Self.string("model", in: object)
    let window = try Self.integer("num_speculative_tokens", in: object) ?? Self.defaultWindow
    let name = try Self.string("method", in: object) ?? (model == nil ? nil : "draft_model")
    let lowest = try Self.integer("prompt_lookup_min", in: object)
    let highest = try Self.integer("prompt_lookup_max", in: object)
    switch name {
    case "draft_model":
      guard let model else { throw SpeculativeConfigurationError("the method 'draft_model' needs the key 'model'") }
      guard lowest == nil, highest == nil else {
        throw SpeculativeConfigurationError("'prompt_lookup_min' and 'prompt_lookup_max' belong to the method 'ngram'")
      }
      try self.init(method: .draftModel(model), window: window)
    case "ngram":
      guard model == nil else { throw SpeculativeConfigurationError("the method 'ngram' takes no 'model'") }
      // As in vLLM: one bound given sets both; 5 when neither is.
      let upper = highest ?? lowest ?? 5
      let lower = lowest ?? highest ?? 5
      guard (1...64).contains(lower), lower <= upper, upper <= 64 else {
        throw SpeculativeConfigurationError(
          "prompt_lookup_min is \(lower) and prompt_lookup_max \(upper); expected 1 ≤ min ≤ max ≤ 64")
      }
      try self.init(method: .ngram(lengths: lower...upper), window: window)
    case let other?:
      throw SpeculativeConfigurationError("the method '\(other)' is not supported; supported are draft_model and ngram")
    case nil:
      throw SpeculativeConfigurationError("the key 'method' is missing; expected draft_model or ngram")
    }
  }

  private static func string(
    _ key: String, in object: [String: Any]
  ) throws(SpeculativeConfigurationError) -> String? {
    guard let value = object[key] else { return nil }
    guard let string = value as? String else {
      throw SpeculativeConfigurationError("'\(key)' is \(value); expected a string")
    }
    return string
  }

  private static func integer(
    _ key: String, in object: [String: Any]
  ) throws(SpeculativeConfigurationError) -> Int? {
    guard let value = object[key] else { return nil }
    guard !(value is Bool), let number = value as? Int else {
      throw SpeculativeConfigurationError("'\(key)' is \(value); expected a whole number")
    }
    return number
  }
}

/// A speculative configuration that cannot be followed.
public struct SpeculativeConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence: what was found, what was expected.
  public let description: String

  init(_ reason: String) { description = "speculative config: \(reason)" }
}
