import Decoding
import Inference
import ModelFiles
import Speculation
import Tensor
import TestSupport
import Testing
import Tokenization
import Transformer

extension LosslessTests {
  /// A target and a draft that can be put together in any way.
  struct Pair {
    let target, draft: (checkpoint: Checkpoint, configuration: ModelConfiguration)
    /// Heads on the target, of which nobody trained the second, DFlash's, and the third, DSpark's.
    let head, blockHead, correctingHead: Head
    /// The head that the target carries, where it does.
    var carriedHead: Head?
    let tokenizer: Tokenizer
    /// Keeps the files of random models alive.
    var directories: [TemporaryDirectory] = []

    static func reference() throws -> Pair {
      let configuration = try ModelConfiguration(directory: Places.target)
      let (directory, correcting) = (try TemporaryDirectory(), try TemporaryDirectory())
      var model = RandomModel(seed: 3)
      (model.hiddenSize, model.vocabularySize) = (configuration.hiddenSize, configuration.vocabularySize)
      model.layerCount = configuration.layerCount
      try model.writeBlockHead(to: directory, taps: [1, 3, 5])
      try model.writeBlockHead(to: correcting, taps: [1, 3, 5], rank: 32)
      return Pair(
        target: (try Checkpoint(directory: Places.target), try ModelConfiguration(directory: Places.target)),
        draft: (try Checkpoint(directory: Places.draft), try ModelConfiguration(directory: Places.draft)),
        head: try #require(try openContainer(at: Places.head).head()),
        blockHead: try #require(try openContainer(at: directory.path).head()),
        correctingHead: try #require(try openContainer(at: correcting.path).head()),
        tokenizer: try Tokenizer(directory: Places.target), directories: [directory, correcting])
    }

    /// - Parameter experts: of the target's layers.
    static func random(experts: Int = 0) throws -> Pair {
      let directories = [try TemporaryDirectory(), try TemporaryDirectory()]
      let (headDirectory, blockDirectory) = (try TemporaryDirectory(), try TemporaryDirectory())
      let correcting = try TemporaryDirectory()
      var model = RandomModel(seed: 1)
      model.carriesMTP = true
      if experts > 0 { (model.architecture, model.expertCount) = ("Qwen3MoeForCausalLM", experts) }
      try model.write(to: directories[0])
      try RandomModel(seed: 1).writeHead(to: headDirectory)
      try RandomModel(seed: 1).writeBlockHead(to: blockDirectory)
      try RandomModel(seed: 1).writeBlockHead(to: correcting, rank: 32)
      var draft = RandomModel(seed: 2)
      // A padded vocabulary: its highest ids are none of the target's.
      draft.vocabularySize = 208
      draft.layerCount = 1
      try draft.write(to: directories[1])
      let models = try directories.map {
        (try Checkpoint(directory: $0.path), try ModelConfiguration(directory: $0.path))
      }
      return Pair(
        target: models[0], draft: models[1],
        head: try #require(try openContainer(at: headDirectory.path).head()),
        blockHead: try #require(try openContainer(at: blockDirectory.path).head()),
        correctingHead: try #require(try openContainer(at: correcting.path).head()),
        carriedHead: try openContainer(at: directories[0].path).carriedHead(),
        tokenizer: try Tokenizer(directory: Places.target),
        directories: directories + [headDirectory, blockDirectory, correcting])
    }

    func loop(
      _ quantization: Quantization, proposer kind: ProposerKind, threads: Int = 2, rows: Int = 64, sequences: Int = 1,
      blocksFor: Int? = nil, instructionSet: InstructionSet? = nil, sharesPrefixes: Bool = false,
      cacheFormat: KVCacheFormat = .float16, sampling: DraftModelProposer.Sampling = .coupled
    ) throws -> DecodingLoop {
      let pool = WorkerPool(threadCount: threads)
      let logitRows = sequences * (kind.window + 1)
      let limits = RunnerLimits(
        rows: max(rows, logitRows), logitRows: logitRows, sequences: blocksFor ?? sequences, positions: 320)
      func runner(_ model: (checkpoint: Checkpoint, configuration: ModelConfiguration)) throws -> CPUModelRunner {
        try CPUModelRunner(
          checkpoint: model.checkpoint, configuration: model.configuration, quantization: quantization, limits: limits,
          pool: pool,
          instructionSet: instructionSet, cacheFormat: cacheFormat)
      }
      let target = try runner(self.target)
      let proposer: any Proposer =
        switch kind {
        case .none: NoProposer()
        case .ngram: NGramProposer(lengths: 1...3)
        case .suffix: SuffixProposer()
        case .draft: DraftModelProposer(runner: try runner(draft), vocabularySize: target.vocabularySize)
        case .automatic:
          try Self.automatic(
            DraftModelProposer(
              runner: try runner(draft), vocabularySize: target.vocabularySize, costs: Self.draftCosts))
        case .head, .automaticHead:
          try Self.proposer(
            over: CPUHeadRunner(
              head, target: (self.target.configuration, self.target.checkpoint), quantization: quantization,
              limits: limits, pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat),
            as: .eagle3, isAutomatic: kind.isAutomatic, sampling)
        case .mtp:
          try Self.proposer(
            over: CPUHeadRunner(
              #require(carriedHead), target: (self.target.configuration, self.target.checkpoint),
              quantization: quantization, limits: limits, pool: pool, instructionSet: instructionSet,
              cacheFormat: cacheFormat), as: .mtp, isAutomatic: false, sampling)
        case .block, .automaticBlock, .correctingBlock, .automaticCorrectingBlock:
          try Self.proposer(
            over: CPUBlockHeadRunner(
              kind.corrects ? correctingHead : blockHead, target: (self.target.configuration, self.target.checkpoint),
              quantization: quantization,
              limits: limits, pool: pool, instructionSet: instructionSet, cacheFormat: cacheFormat),
            as: .dflash, isAutomatic: kind.isAutomatic, sampling)
        }
      return DecodingLoop(
        runner: target, tokenizer: tokenizer, proposer: proposer,
        verifier: sampling == .coupled ? CoupledVerifier() : RejectionVerifier(), window: kind.window,
        costs: Self.targetCosts, sequences: sequences, rows: rows, sharesPrefixes: sharesPrefixes)
    }

    /// Costs of a target that a draft is worth having for; true costs, which drift from there, make windows vary.
    private static var targetCosts: PassCosts {
      PassCosts(samples: [(rows: 1, seconds: 1e-3), (rows: 64, seconds: 1.5e-3)])
    }

    private static var draftCosts: PassCosts { PassCosts(samples: [(rows: 8, seconds: 1e-5)]) }

    private static func proposer(
      over head: any HeadRunner, as origin: TokenOrigin, isAutomatic: Bool, _ sampling: DraftModelProposer.Sampling
    ) throws -> any Proposer {
      let proposer = HeadProposer(
        head, runner: head, origin: origin, sampling: sampling, costs: isAutomatic ? draftCosts : PassCosts())
      return isAutomatic ? try automatic(proposer) : proposer
    }

    private static func automatic(_ draft: any DraftSource) throws -> any Proposer {
      var factory = ProposerFactory()
      factory.draft = draft
      return try factory.proposer(of: .automatic)
    }
  }

  enum ProposerKind: Sendable, CustomStringConvertible {
    case none
    case ngram(window: Int)
    case suffix(window: Int)
    case draft(window: Int)
    case automatic(window: Int)
    case head(window: Int)
    case automaticHead(window: Int)
    case block(window: Int)
    case automaticBlock(window: Int)
    case correctingBlock(window: Int)
    case automaticCorrectingBlock(window: Int)
    case mtp(window: Int)

    var window: Int {
      switch self {
      case .none: 0
      case .ngram(let window), .suffix(let window), .draft(let window), .automatic(let window), .head(let window),
        .automaticHead(let window), .block(let window), .automaticBlock(let window), .correctingBlock(let window),
        .automaticCorrectingBlock(let window), .mtp(let window):
        window
      }
    }
    var isAutomatic: Bool {
      switch self {
      case .automatic, .automaticHead, .automaticBlock, .automaticCorrectingBlock: true
      default: false
      }
    }
    var corrects: Bool {
      switch self {
      case .correctingBlock, .automaticCorrectingBlock: true
      default: false
      }
    }
    var description: String {
      switch self {
      case .none: "plain"
      case .ngram(let window): "n-gram \(window)"
      case .suffix(let window): "suffix \(window)"
      case .draft(let window): "draft \(window)"
      case .automatic(let window): "automatic \(window)"
      case .head(let window): "head \(window)"
      case .automaticHead(let window): "automatic with a head \(window)"
      case .block(let window): "block head \(window)"
      case .automaticBlock(let window): "automatic with a block head \(window)"
      case .correctingBlock(let window): "correcting block head \(window)"
      case .automaticCorrectingBlock(let window): "automatic with a correcting block head \(window)"
      case .mtp(let window): "MTP \(window)"
      }
    }
  }
}
