package import Tensor

/// What a head is made of, from its `config.json` or that of the model that carries it.
///
/// A head is one layer, or a few, that was trained on one target: it goes on from residual streams of the target instead of
/// reading tokens by itself.
///
/// Sources: Li et al., "EAGLE-3" (2025); Chen et al., "DFlash" (2026); the formats that SpecForge, z-lab and DeepSpec (flat)
/// and `speculators` 0.9 (nested) write.
public struct HeadConfiguration: Sendable, Equatable {
  /// How a head drafts. Names are those of the methods.
  public enum Kind: String, Sendable, Equatable, CaseIterable {
    /// Token by token: the stream of a position and the token after it give the next.
    case eagle3
    /// A block of tokens at once, after keys and values that are made of the target's streams.
    case dflash
    /// Token by token: a layer that the target's own checkpoint carries.
    case mtp

    /// As people write it.
    public var title: String {
      switch self {
      case .eagle3: "EAGLE-3"
      case .dflash: "DFlash"
      case .mtp: "MTP"
      }
    }
  }

  /// Where streams are normalised before they are joined.
  public enum StreamNorm: Sendable, Equatable {
    case none
    /// All of them as one vector (`norm_before_fc`).
    case joined
    /// Each by itself (`fc_norm`).
    case each
  }

  /// How it drafts.
  public let kind: Kind
  /// Shape of the layers; `vocabularySize` is the target's.
  public let layers: ModelConfiguration
  /// Width of the target's residual stream.
  public let targetHiddenSize: Int
  /// Tokens that it can propose (`draft_vocab_size`).
  public let vocabularySize: Int
  /// Layers of the target whose streams it reads, as they enter the layer; `nil` for the usual three.
  public let tappedLayers: [Int]?
  /// Where streams are normalised.
  public var streamNorm = StreamNorm.none
  /// Whether the first layer adds to the normalised stream, and not to the stream as it is (`norm_before_residual`).
  public var normalisesResidual = false
  /// Whether it goes on from its normalised output (`norm_output`, "EAGLE 3.1").
  public var recyclesNormalised = false
  /// What it proposes at once; `nil` for heads that draft token by token.
  public var block: HeadBlock?
  /// Whether the target's hidden state stands before the embedding where both are joined; of MTP layers.
  public var putsHiddenFirst = false
  /// The target that the file names, if it does.
  public var targetName: String?
  /// Layers that the target is to have, if the file says it.
  public var targetLayerCount: Int?

  init(kind: Kind, layers: ModelConfiguration, targetHiddenSize: Int, vocabularySize: Int, tappedLayers: [Int]?) {
    (self.kind, self.layers, self.tappedLayers) = (kind, layers, tappedLayers)
    (self.targetHiddenSize, self.vocabularySize) = (targetHiddenSize, vocabularySize)
  }

  /// What it is, as people write it: DSpark heads propose as DFlash heads do, and correct what they propose.
  public var title: String { block?.correction == nil ? kind.title : "DSpark" }

  /// Number of streams.
  package var streamCount: Int { tappedLayers?.count ?? 3 }

  /// Layers of a target of `layerCount` whose streams are read.
  package func taps(layerCount: Int) -> [Int] { tappedLayers ?? [2, layerCount / 2, layerCount - 3] }
}

/// The block of tokens that a head proposes at once: the last known token, and masks in the places of the next ones.
public struct HeadBlock: Sendable, Equatable {
  /// Tokens of a block, the known one included (`block_size`).
  public let size: Int
  /// What stands in the places of unknown tokens (`mask_token_id`).
  public let maskToken: Int32
  /// Whether a row proposes the token after its own, and so the known token's row one too (`sample_from_anchor`); else
  /// masks propose what they stand for.
  public let predictsNext: Bool
  /// By layer: the positions that its rows see.
  package let sights: [AttentionSight]
  /// What makes its proposals depend on one another; `nil` for DFlash heads, where they do not.
  public var correction: HeadCorrection?

  /// By layer: how far its rows see; `nil` for all positions.
  public var windows: [Int?] { sights.map(\.window) }
  /// Most tokens to propose at once.
  public var most: Int { predictsNext ? size : size - 1 }
}

/// What a DSpark head has beside a DFlash head: the token before a proposal adds to its logits, and the head says how likely
/// a proposal is to be accepted, if those before it are.
public struct HeadCorrection: Sendable, Equatable {
  /// Inputs of the matrix that gives what is added (`markov_rank`); 0 where nothing is.
  public let rank: Int
  /// Whether that likelihood depends on the token before the proposal too (`confidence_head_with_markov`).
  public let confidenceReadsToken: Bool
}
