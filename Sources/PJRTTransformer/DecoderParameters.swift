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
      /// Whole numbers.
      case integers([Int32])
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

    /// - Parameter element: the format of matrices.
    func type(_ element: ScalarType) -> TensorType {
      if case .integers = source { return TensorType(shape, .int32) }
      return TensorType(shape, isMatrix ? element : .float32)
    }

    /// Adds it to a program's arguments.
    func argument(of element: ScalarType, prefix: String, _ builder: inout ProgramBuilder) -> Value {
      builder.argument(prefix + name, type(element), split: split)
    }

    /// Memory on the devices, in bytes.
    ///
    /// - Parameter matrixBytes: bytes of a matrix's element.
    func byteCount(_ matrixBytes: Int) -> Int { shape.reduce(isMatrix ? matrixBytes : 4, *) }
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
    let first = [Parameter(tensors.embedding)] + Self.angles(configuration, positions: positions)
    let body = first + tensors.layers.flatMap(\.all).map { Parameter($0) }
    all = body + ([tensors.finalNorm] + (tensors.output.map { [$0] } ?? [])).map { Parameter($0) }
    self.body = Array(body.indices)
    head = [body.count, tensors.output == nil ? 0 : body.count + 1]
  }

  /// Cosines and sines of up to `positions`.
  static func angles(_ configuration: ModelConfiguration, positions: Int) -> [Parameter] {
    let shape = [positions, configuration.headSize / 2]
    func both(_ cosines: String, _ sines: String, _ rotary: RotaryConfiguration) -> [Parameter] {
      [Parameter(cosines, shape, .cosines(rotary)), Parameter(sines, shape, .sines(rotary))]
    }
    return both(Self.cosines, Self.sines, configuration.rotary)
      + (configuration.windowRotary.map { both(windowCosines, windowSines, $0) } ?? [])
  }

  /// Places of what heads share with the model.
  var embedding: Int { 0 }
  var finalNorm: Int { head[0] }
  var output: Int { head[1] }
}
