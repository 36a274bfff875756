internal import ModelFiles
internal import StableHLO

/// The weights of a decoder as programs take them: what there is, in which order, and how devices share it.
struct DecoderParameters {
  struct Parameter {
    enum Source {
      /// A tensor of the checkpoint: matrices in the weights' format, vectors in single precision.
      case tensor(DecoderTensor)
      /// Cosines or sines of every position's angles.
      case cosines(RotaryConfiguration), sines(RotaryConfiguration)
    }

    /// Its name in programs.
    let name: String
    let shape: [Int]
    let source: Source

    init(_ tensor: DecoderTensor) {
      (name, shape, source) = (tensor.name.huggingFace, tensor.shape, .tensor(tensor))
    }

    init(_ name: String, _ shape: [Int], _ source: Source) {
      (self.name, self.shape, self.source) = (name, shape, source)
    }

    /// The dimension of which each device has its part.
    var split: Int? {
      if case .tensor(let tensor) = source { tensor.split } else { nil }
    }

    var isMatrix: Bool {
      if case .tensor(let tensor) = source { tensor.isMatrix } else { false }
    }
  }

  /// What the model is made of.
  let tensors: DecoderTensors
  /// All, in the order of the buffers.
  let all: [Parameter]
  /// Which of them the body takes, in order: everything up to the last norm.
  let body: [Int]
  /// Which of them the head takes: the last norm and the output matrix.
  let head: [Int]

  static let cosines = "rotary.cosines"
  static let sines = "rotary.sines"
  /// The same in layers that have a window, where those have positions of their own.
  static let windowCosines = "rotary.window.cosines"
  static let windowSines = "rotary.window.sines"

  /// What a model needs for sequences of up to `positions`.
  init(_ configuration: ModelConfiguration, positions: Int) {
    tensors = DecoderTensors(configuration)
    let angles = [positions, configuration.headSize / 2]
    let rotary = configuration.rotary
    var first = [
      Parameter(tensors.embedding), Parameter(Self.cosines, angles, .cosines(rotary)),
      Parameter(Self.sines, angles, .sines(rotary)),
    ]
    if let rotary = configuration.windowRotary {
      first.append(Parameter(Self.windowCosines, angles, .cosines(rotary)))
      first.append(Parameter(Self.windowSines, angles, .sines(rotary)))
    }
    let body = first + tensors.layers.flatMap(\.all).map { Parameter($0) }
    all = body + ([tensors.finalNorm] + (tensors.output.map { [$0] } ?? [])).map { Parameter($0) }
    self.body = Array(body.indices)
    head = [body.count, tensors.output == nil ? 0 : body.count + 1]
  }
}
