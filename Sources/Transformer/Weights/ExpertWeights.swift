internal import ModelFiles
internal import Tensor

/// The weights of a mixture of experts in one layer.
struct ExpertWeights {
  /// `[hidden]`.
  let norm: [Float]
  /// `[experts, hidden]`.
  let router: PackedMatrix
  /// What is to be added to it, where its weights have more bits than bfloat16 (`TensorView.bfloat16Parts`).
  let routerRest: [PackedMatrix]
  /// By expert: gate and up projections, each `[intermediate, hidden]`, interleaved by panels.
  let gateUp: [PackedMatrix]
  /// By expert: `[hidden, intermediate]`.
  let down: [PackedMatrix]

  init(_ tensors: ExpertTensors, _ packing: WeightPacking) throws {
    let (packer, pool) = (packing.packer, packing.packer.threads)
    let norm = try packing.floats(tensors.norm)
    // A small difference there is a whole other expert.
    let choosing = try packing.view(tensors.router.weight).bfloat16Parts()
    let experts = try tensors.experts.map { expert in
      PackedExpert(
        gate: try packing.view(expert.gate.weight), up: try packing.view(expert.up.weight),
        down: try packing.view(expert.down.weight), packing)
    }
    // All experts and the router read one norm.
    var inputs: [Int8]?
    if experts.allSatisfy({ packing.isScaling($0.gate, $0.up, in: $0.format) }) {
      var peaks = [Float](repeating: 0, count: norm.count)
      for expert in experts {
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
    self.norm = ChannelScaling.divide(norm, by: router.columnExponents)
  }

  init(_ tensors: ExpertTensors, random: RandomWeights) throws {
    norm = random.ones(tensors.norm)
    (router, routerRest) = (try random.router(tensors.router.weight, place: 2), [])
    gateUp = try tensors.experts.enumerated().map { index, expert in
      try random.matrix([expert.gate.weight], place: UInt64(4 + 2 * index), isGatePair: true)
    }
    down = try tensors.experts.enumerated().map { index, expert in
      try random.matrix([expert.down.weight], place: UInt64(5 + 2 * index))
    }
  }
}

/// One expert's matrices as the file has them, and how its inner channels are scaled (`GatedWeights`).
private struct PackedExpert {
  let gate, up, down: TensorView
  /// The one format of gate and up.
  let format: WeightFormat
  /// Powers of two by inner channel; `nil` for none.
  let intermediate: [Int8]?

  init(gate: TensorView, up: TensorView, down: TensorView, _ packing: WeightPacking) {
    (self.gate, self.up, self.down) = (gate, up, down)
    let pool = packing.packer.threads
    format = GatedWeights.commonFormat(packing.format(of: gate), packing.format(of: up))
    intermediate =
      packing.isScaling(down)
      ? ChannelScaling.exponents(levelling: columnPeaks(of: [down], pool: pool), and: rowPeaks(of: up, pool: pool))
      : nil
  }

  /// Of the rows of `up`.
  var upExponents: [Int8]? { intermediate.map(ChannelScaling.negated) }
  /// Of the rows of `gate` and `up`, one below the other.
  var gateUpRowExponents: [Int8]? { upExponents.map { [Int8](repeating: 0, count: gate.shape[0]) + $0 } }
}
