/// The windows of a model's layers: the number of positions that a row sees, its own included.
///
/// Sources: `transformers`' configurations of each family and its `sliding_window_overlay`; llama.cpp's
/// `llama_hparams::set_swa_pattern`.
enum AttentionWindows {
  /// Which layers have a window where no list of types says so.
  enum Layout: Sendable, Equatable {
    /// None, whatever a file says of a window's size.
    case never
    /// All, if the file has a size.
    case everywhere
    /// All, where `use_sliding_window` is true.
    case everywhereIfUsed
    /// Those from `max_window_layers` on, where `use_sliding_window` is true.
    case afterFirst
    /// All but every `period`th.
    case allButEvery(period: Int)
  }

  /// What `transformers` takes where a file is silent.
  static let usualSize = 4096
  private static let usualFirstLayers = 28
  private static let sizes = 1...16_777_216

  /// By layer the window, `nil` for a layer that sees everything; empty where no layer has one.
  static func of(
    _ file: ConfigurationFile, as layout: Layout, layerCount: Int, path: String
  ) throws(ModelFileError) -> [Int?] {
    func unsupported(_ what: String) -> ModelFileError { ModelFileError(path, "unsupported: \(what)") }
    let known = [fullAttention, slidingAttention]
    if let kind = file.layer_types?.first(where: { !known.contains($0) }) {
      throw unsupported("layers of type \(kind); only \(known.joined(separator: ", "))")
    }
    let listed = file.layer_types?.contains(slidingAttention) == true
    switch layout {
    case .never:
      guard !listed else { throw unsupported("layers of type \(slidingAttention) in models of this family") }
      return []
    case .everywhere:
      guard let size = try size(of: file, path: path) else { return [] }
      guard file.layer_types?.contains(fullAttention) != true else {
        throw unsupported("layer_types that are not all \(slidingAttention) in models of this family")
      }
      return Array(repeating: size, count: layerCount)
    case .everywhereIfUsed:
      guard file.use_sliding_window == true || listed else { return [] }
      guard file.layer_types == nil else { throw unsupported("windows by layer_types in models of this family") }
      guard let size = try size(of: file, path: path) else { return [] }
      return Array(repeating: size, count: layerCount)
    case .afterFirst:
      guard file.use_sliding_window == true else {
        guard !listed else { throw unsupported("layers of type \(slidingAttention) without use_sliding_window") }
        return []
      }
      guard file.layer_types == nil || listed, let size = try size(of: file, path: path) else { return [] }
      let first = max(0, file.max_window_layers ?? usualFirstLayers)
      return try windows(of: file, size, layerCount: layerCount, path: path) { $0 >= first }
    case .allButEvery(let usual):
      guard file.layer_types == nil || listed, let size = try size(of: file, path: path) else { return [] }
      let period = try SizeBounds(path: path).check(
        "sliding_window_pattern", file.sliding_window_pattern ?? usual, in: 1...1024)
      return try windows(of: file, size, layerCount: layerCount, path: path) { ($0 + 1) % period != 0 }
    }
  }

  /// The windows that a list of types says, or a rule where there is none.
  private static func windows(
    of file: ConfigurationFile, _ size: Int, layerCount: Int, path: String, where isWindowed: (Int) -> Bool
  ) throws(ModelFileError) -> [Int?] {
    guard let kinds = file.layer_types else {
      return gathered((0..<layerCount).map { isWindowed($0) ? size : nil })
    }
    guard kinds.count == layerCount else {
      throw ModelFileError(path, "layer_types has \(kinds.count) entries for num_hidden_layers \(layerCount)")
    }
    return kinds.map { $0 == slidingAttention ? size : nil }
  }

  /// Reads `FAMILY.attention.sliding_window`, and of `sliding_window_pattern` a list by layer or a period.
  static func of(
    _ file: GGUFFile, family: String, as layout: Layout, layerCount: Int
  ) throws(ModelFileError) -> [Int?] {
    let (metadata, key) = (file.metadata, "\(family).attention.sliding_window")
    guard let size = try metadata.integer(key, in: 0...sizes.upperBound), size > 0 else { return [] }
    if let listed = try metadata.flags("\(key)_pattern") {
      guard listed.count >= layerCount else {
        throw ModelFileError(file.path, "\(key)_pattern has \(listed.count) entries for \(layerCount) layers")
      }
      return gathered(listed.prefix(layerCount).map { $0 ? size : nil })
    }
    let usual =
      switch layout {
      case .allButEvery(let period): period
      // 0 says that all layers have one.
      case .never, .everywhere, .everywhereIfUsed, .afterFirst: 0
      }
    let period = try metadata.integer("\(key)_pattern", in: 0...1024) ?? usual
    return gathered((0..<layerCount).map { period == 0 || ($0 + 1) % period != 0 ? size : nil })
  }

  private static func size(of file: ConfigurationFile, path: String) throws(ModelFileError) -> Int? {
    switch file.sliding_window {
    case .absent: usualSize
    case .null: nil
    case .value(let size): try SizeBounds(path: path).check("sliding_window", size, in: sizes)
    }
  }

  private static func gathered(_ windows: [Int?]) -> [Int?] { windows.contains { $0 != nil } ? windows : [] }

  static let fullAttention = "full_attention"
  static let slidingAttention = "sliding_attention"
}

extension ModelConfiguration {
  /// The most positions that a row of any layer with a window sees; `nil` where no layer has one.
  package var largestWindow: Int? { windows.compactMap(\.self).max() }
  /// Keys and values of a sequence of `positions` in half precision, in bytes; of layers with a window those of the last
  /// positions alone.
  package func keyValueBytes(positions: Int) -> Int {
    let layer = keyValueBytesPerToken / attentionLayerCount
    let layers = (0..<layerCount).filter { recurrence?.isRecurrent[$0] != true }
    return layers.reduce(0) { $0 + layer * min(positions, window(ofLayer: $1) ?? positions) }
  }

  /// How many layers have a window.
  package var windowedLayerCount: Int { windows.count { $0 != nil } }
  /// The window of a layer: the number of positions that a row sees, its own included; `nil` for all before it.
  package func window(ofLayer index: Int) -> Int? { windows.indices.contains(index) ? windows[index] : nil }
}

/// The value of a key, where `null` says something else than silence.
enum Stated<Value: Decodable & Sendable>: Decodable, Sendable {
  case absent, null
  case value(Value)

  var value: Value? {
    switch self {
    case .absent, .null: nil
    case .value(let value): value
    }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    self = container.decodeNil() ? .null : .value(try container.decode(Value.self))
  }
}

extension KeyedDecodingContainer {
  /// Silence is a value too.
  func decode<Value>(_ type: Stated<Value>.Type, forKey key: Key) throws -> Stated<Value> {
    guard contains(key) else { return .absent }
    return try decodeNil(forKey: key) ? .null : .value(decode(Value.self, forKey: key))
  }
}
