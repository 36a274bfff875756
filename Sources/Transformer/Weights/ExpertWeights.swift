internal import ModelFiles
internal import Tensor

/// The weights of a mixture of experts in one layer.
struct ExpertWeights {
  /// `[hidden]`.
  let norm: [Float]
  /// `[experts, hidden]`.
  let router: PackedMatrix
  /// `[experts]`; `nil` when the model has none.
  let routerBias: [Float]?
  /// What is to be added to it, where its weights have more bits than bfloat16 (`TensorView.bfloat16Parts`).
  let routerRest: [PackedMatrix]
  /// By expert: gate and up projections, each `[intermediate, hidden]`, interleaved by panels.
  let gateUp: [PackedMatrix]
  /// By expert, `[experts, intermediate]`; `nil` when the model has none.
  let gateUpBias: (gate: Activations, up: Activations)?
  /// By expert: `[hidden, intermediate]`.
  let down: [PackedMatrix]
  /// By expert, `[experts, hidden]`; `nil` when the model has none.
  let downBias: Activations?
  /// The expert that all rows go through; `nil` where there is none.
  let shared: SharedExpertWeights?

  init(_ tensors: ExpertTensors, _ packing: WeightPacking) throws {
    let (packer, pool) = (packing.packer, packing.packer.threads)
    let norm = try packing.floats(tensors.norm)
    // A small difference there is a whole other expert.
    let choosing = try packing.view(tensors.router.weight).bfloat16Parts()
    let experts = try tensors.experts.map { expert in
      PackedExpert(
        gate: try packing.view(expert.gate.weight), up: try packing.view(expert.up.weight),
        down: try packing.view(expert.down.weight), activation: tensors.activation, packing)
    }
    let sharedExpert = try tensors.shared.map { expert in
      PackedExpert(
        gate: try packing.view(expert.gate), up: try packing.view(expert.up), down: try packing.view(expert.down),
        activation: tensors.activation, packing)
    }
    // All experts, what says how much the shared one counts, and the router read one norm.
    let readers = experts + (sharedExpert.map { [$0] } ?? [])
    var inputs: [Int8]?
    if readers.allSatisfy({ packing.isScaling($0.gate, $0.up, in: $0.format) }) {
      var peaks = [Float](repeating: 0, count: norm.count)
      for expert in readers {
        let own = columnPeaks(of: [expert.gate, expert.up], rowExponents: expert.gateUpRowExponents, pool: pool)
        for column in peaks.indices { peaks[column] = max(peaks[column], own[column]) }
      }
      inputs = ChannelScaling.exponents(levelling: peaks, and: norm)
    }
    let routers = try choosing.map { part in
      try packer.stack(
        [part], format: packing.format(of: part, for: .router), rounding: WeightRounding(columnExponents: inputs))
    }
    (router, routerRest) = (routers[0], Array(routers.dropFirst()))
    gateUp = try experts.map { expert in
      try packer.pair(
        gate: expert.gate, up: expert.up, format: expert.format,
        rounding: WeightRounding(columnExponents: inputs, rowExponents: expert.upExponents))
    }
    down = try experts.map { expert in
      try packer.stack(
        [expert.down], format: packing.format(of: expert.down),
        rounding: WeightRounding(columnExponents: expert.intermediate))
    }
    if let sharedExpert, let share = tensors.shared?.share {
      shared = try SharedExpertWeights(
        sharedExpert, inputs: inputs, share: try packing.floats(share), readAs: router.columnExponents, packing)
    } else {
      shared = nil
    }
    self.norm = ChannelScaling.divide(norm, by: router.columnExponents)
    routerBias = try packing.floats(ifPresent: tensors.router.bias)
    let exponents = down.map(\.columnExponents)
    if let gate = try Self.biases(tensors.experts.map(\.gate.bias), packing),
      let up = try Self.biases(tensors.experts.map(\.up.bias), dividedBy: exponents, packing)
    {
      gateUpBias = (gate, up)
    } else {
      gateUpBias = nil
    }
    downBias = try Self.biases(tensors.experts.map(\.down.bias), packing)
  }

  /// The experts' biases below each other; `nil` where there are none.
  private static func biases(
    _ tensors: [DecoderTensor?], dividedBy exponents: [[Int8]?] = [], _ packing: WeightPacking
  ) throws -> Activations? {
    let tensors = tensors.compactMap(\.self)
    guard let first = tensors.first else { return nil }
    let biases = try Activations(rowCapacity: tensors.count, columns: first.count)
    for (expert, tensor) in tensors.enumerated() {
      let values = try packing.floats(tensor)
      biases.setRow(
        expert, to: exponents.isEmpty ? values : ChannelScaling.divide(values, by: exponents[expert]))
    }
    return biases
  }

  init(_ tensors: ExpertTensors, random: RandomWeights) throws {
    func zeros(_ bias: DecoderTensor?) throws -> Activations? {
      try bias.map { try Activations(rowCapacity: tensors.experts.count, columns: $0.count) }
    }
    routerBias = tensors.router.bias.map { random.zeros([$0]) }
    let first = tensors.experts[0]
    if let gate = try zeros(first.gate.bias), let up = try zeros(first.up.bias) {
      gateUpBias = (gate, up)
    } else {
      gateUpBias = nil
    }
    downBias = try zeros(first.down.bias)
    norm = random.ones(tensors.norm)
    (router, routerRest) = (try random.router(tensors.router.weight, place: 2), [])
    gateUp = try tensors.experts.enumerated().map { index, expert in
      try random.matrix([expert.gate.weight], place: UInt64(4 + 2 * index), isGatePair: true)
    }
    down = try tensors.experts.enumerated().map { index, expert in
      try random.matrix([expert.down.weight], place: UInt64(5 + 2 * index))
    }
    let place = UInt64(4 + 2 * tensors.experts.count)
    shared = try tensors.shared.map { try SharedExpertWeights($0, random: random, place: place) }
  }
}

/// One expert's matrices as the file has them, and how its inner channels are scaled (`GatedWeights`).
struct PackedExpert {
  let gate, up, down: TensorView
  /// The one format of gate and up.
  let format: WeightFormat
  /// Powers of two by inner channel; `nil` for none.
  let intermediate: [Int8]?

  init(gate: TensorView, up: TensorView, down: TensorView, activation: GateActivation, _ packing: WeightPacking) {
    (self.gate, self.up, self.down) = (gate, up, down)
    let pool = packing.packer.threads
    format = GatedWeights.commonFormat(packing.format(of: gate), packing.format(of: up))
    intermediate =
      activation.isLinearInUp && packing.isScaling(down)
      ? ChannelScaling.exponents(levelling: columnPeaks(of: [down], pool: pool), and: rowPeaks(of: up, pool: pool))
      : nil
  }

  /// Of the rows of `up`.
  var upExponents: [Int8]? { intermediate.map(ChannelScaling.negated) }
  /// Of the rows of `gate` and `up`, one below the other.
  var gateUpRowExponents: [Int8]? { upExponents.map { [Int8](repeating: 0, count: gate.shape[0]) + $0 } }
}
