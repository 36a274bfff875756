internal import CForetokenKernels

extension TensorOperations {
  /// Chooses the experts of each row: those with the largest scores, of equals the first.
  ///
  /// - Parameters:
  ///   - scores: `[rows, experts]`; overwritten.
  ///   - chosenCount: experts that each row goes through.
  ///   - isShareOfAll: whether an expert's share is its part of the softmax over all, and not over those of the row.
  package func chooseExperts(
    _ scores: Activations, rowCount: Int, chosenCount: Int, isShareOfAll: Bool
  ) -> ExpertRoutes {
    let count = scores.columns
    precondition((1...count).contains(chosenCount))
    var experts = [UInt32](repeating: 0, count: rowCount * chosenCount)
    var shares = [Float](repeating: 0, count: rowCount * chosenCount)
    unsafe experts.withUnsafeMutableBufferPointer { experts in
      unsafe shares.withUnsafeMutableBufferPointer { shares in
        guard let first = experts.baseAddress, let share = shares.baseAddress else { return }
        for row in 0..<rowCount {
          unsafe ft_choose_experts(
            set, scores.pointer(row: row), count, chosenCount, isShareOfAll, first + row * chosenCount,
            share + row * chosenCount)
        }
      }
    }
    return ExpertRoutes(experts, shares: shares, chosenCount: chosenCount, of: count)
  }

  /// output = activation(gate · x) · (up · x) of each place's row and expert, for matrices packed as pairs of gate and up.
  ///
  /// - Parameters:
  ///   - x: `[rows, inputs]`.
  ///   - weights: by expert.
  ///   - bias: by expert, `[experts, outputs]` each.
  ///   - output: `[places, outputs]`.
  package func gatedLinear(
    _ x: Activations, _ routes: ExpertRoutes, weights: [PackedMatrix],
    bias: (gate: Activations, up: Activations)? = nil, activation: GateActivation = .silu, into output: Activations,
    next: PackedMatrix? = nil
  ) {
    product(
      x, rows: routes.rows, routes, weights, bias?.gate, bias?.up, output, activation.epilogue, next,
      bounds: activation.bounds)
  }

  /// output = weight · x + bias of each place's expert.
  ///
  /// - Parameters:
  ///   - x: `[places, inputs]`.
  ///   - weights: by expert.
  ///   - bias: by expert, `[experts, outputs]`.
  ///   - output: `[places, outputs]`.
  package func linear(
    _ x: Activations, _ routes: ExpertRoutes, weights: [PackedMatrix], bias: Activations? = nil,
    into output: Activations, next: PackedMatrix? = nil
  ) {
    product(x, rows: nil, routes, weights, bias, nil, output, FT_STORE, next)
  }

  /// residual += each row's experts' outputs times their shares, from the expert of the lowest number on.
  ///
  /// - Parameter x: `[places, hidden]`.
  package func addShares(_ x: Activations, _ routes: ExpertRoutes, to residual: Activations) {
    precondition(x.columns == residual.columns)
    let (set, columns, chosen, shares, places) = (
      set, x.columns, routes.chosenCount, routes.shares, routes.placesByRow
    )
    let rowCount = places.count / chosen
    let (input, stride) = unsafe (x.shared(rows: places.count), x.stride)
    let (output, outputStride) = unsafe (residual.shared(rows: rowCount), residual.stride)
    forRows(rowCount, columns: columns * chosen) { rows in
      unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: chosen) { list in
        for row in rows {
          for index in 0..<chosen {
            let place = places[row * chosen + index]
            unsafe list.initializeElement(
              at: index, to: UnsafePointer(input.pointer.assumingMemoryBound(to: Float.self) + place * stride))
          }
          unsafe shares.withUnsafeBufferPointer { shares in
            unsafe ft_add_shares(
              set, list.baseAddress, shares.baseAddress.map { unsafe $0 + row * chosen }, chosen, columns,
              output.pointer.assumingMemoryBound(to: Float.self) + row * outputStride)
          }
        }
      }
    }
  }

  /// - Parameter rows: the row of `x` for each place; `nil` where it has a row for each.
  private func product(
    _ x: Activations, rows: [Int]?, _ routes: ExpertRoutes, _ weights: [PackedMatrix], _ bias: Activations?,
    _ upBias: Activations?, _ output: Activations, _ epilogue: ft_epilogue, _ next: PackedMatrix?,
    bounds: (slope: Float, limit: Float) = (0, 0)
  ) {
    guard let first = routes.groups.first.map({ weights[$0.expert] }) else { return }
    let (groups, placeCount) = (routes.groups, routes.rows.count)
    precondition(
      groups.allSatisfy { weights[$0.expert].rows == output.columns && weights[$0.expert].columns == x.columns })
    precondition(groups.allSatisfy { weights[$0.expert].isGatePair == ft_is_gated(epilogue) })
    for bias in [bias, upBias].compactMap(\.self) {
      precondition(bias.columns == output.columns && bias.rowCapacity >= weights.count)
    }
    let (set, columns, stride) = (set, x.columns, x.stride)
    let input = unsafe x.shared(rows: rows.map { ($0.max() ?? 0) + 1 } ?? placeCount)
    let prepared = unsafe prepared.shared(columns: columns)
    forRows(placeCount, columns: columns) { share in
      for group in groups where group.places.overlaps(share) {
        let format = weights[group.expert].format.kernelValue
        var values = unsafe prepared.kernelValue(from: group.places.lowerBound, of: format)
        for place in group.places.clamped(to: share) {
          // A stride of none: each place's row lies where it lies.
          unsafe ft_prepare_rows(
            set, format,
            input.pointer.assumingMemoryBound(to: Float.self) + (rows?[place] ?? place) * stride, 0, columns,
            group.places.count, place - group.places.lowerBound, 1, &values)
        }
      }
    }
    let (result, resultStride) = unsafe (output.shared(rows: placeCount), output.stride)
    let biases = unsafe bias.map { unsafe $0.shared(rows: weights.count) }
    let upBiases = unsafe upBias.map { unsafe $0.shared(rows: weights.count) }
    let biasStride = bias?.stride ?? 0
    // All groups' units in a row, each group's a multiple of what is claimed together.
    let unit = first.claimUnit
    let (unitCount, groupUnits) = (first.unitCount, (first.unitCount + unit - 1) / unit * unit)
    pool.run(claiming: groupUnits * groups.count, inMultiplesOf: unit, upcoming: next?.upcoming) { share in
      for index in share.lowerBound / groupUnits...(share.upperBound - 1) / groupUnits {
        let (group, start) = (groups[index], index * groupUnits)
        let own = (share.lowerBound - start..<share.upperBound - start).clamped(to: 0..<unitCount)
        guard !own.isEmpty else { continue }
        let weight = weights[group.expert]
        var task = unsafe ft_linear_task(
          format: weight.format.kernelValue, epilogue: epilogue, panels: UnsafePointer(weight.panels),
          columns: columns, outputs: weight.rows,
          x: prepared.kernelValue(from: group.places.lowerBound, of: weight.format.kernelValue),
          rows: group.places.count, bias: biases.row(group.expert, stride: biasStride),
          up_bias: upBiases.row(group.expert, stride: biasStride),
          output: result.pointer.assumingMemoryBound(to: Float.self) + group.places.lowerBound * resultStride,
          output_stride: resultStride, slope: bounds.slope, limit: bounds.limit)
        unsafe ft_linear(set, &task, own.lowerBound, own.count)
      }
    }
  }
}

extension SharedAddress? {
  /// Row `row` of a matrix of floats that starts there.
  @unsafe fileprivate func row(_ row: Int, stride: Int) -> UnsafePointer<Float>? {
    guard let address = self else { return nil }
    return unsafe UnsafePointer(address.pointer.assumingMemoryBound(to: Float.self) + row * stride)
  }
}
