internal import CForetokenKernels

/// What opens the gate of a feed-forward network.
public enum GateActivation: Sendable, Equatable {
  case silu
  /// GELU, by the tangent's approximation (`gelu_pytorch_tanh`).
  case geluTanh
  /// x / (1 + e^(-slope · x)) where x is at most `limit`, beside an up projection that one is added to and whose magnitude
  /// is at most `limit`, as gpt-oss has it.
  case clamped(slope: Float, limit: Float)

  /// Whether what the gate opens for is in proportion to the up projection.
  package var isLinearInUp: Bool {
    switch self {
    case .silu, .geluTanh: true
    case .clamped: false
    }
  }

  /// Of `ft_linear_task`.
  var bounds: (slope: Float, limit: Float) {
    switch self {
    case .silu, .geluTanh: (0, 0)
    case .clamped(let slope, let limit): (slope, limit)
    }
  }

  var epilogue: ft_epilogue {
    switch self {
    case .silu: FT_GATE
    case .geluTanh: FT_GATE_GELU
    case .clamped: FT_GATE_CLAMPED
    }
  }
}

extension TensorOperations {
  /// sums += x.
  package func add(_ x: Activations, rowCount: Int, to sums: Activations) {
    precondition(x.columns == sums.columns)
    let (columns, stride, sumStride) = (x.columns, x.stride, sums.stride)
    let (input, output) = unsafe (x.shared(rows: rowCount), sums.shared(rows: rowCount))
    forRows(rowCount, columns: columns) { rows in
      for row in rows {
        let values = unsafe input.pointer.assumingMemoryBound(to: Float.self) + row * stride
        let total = unsafe output.pointer.assumingMemoryBound(to: Float.self) + row * sumStride
        for column in 0..<columns { unsafe total[column] += values[column] }
      }
    }
  }

  /// sums += sigmoid(weight · input) · x, row by row: what an expert that all rows go through adds.
  ///
  /// - Parameters:
  ///   - x: `[rows, outputs]`.
  ///   - weight: `[outputs]`, as many as there are inputs.
  ///   - input: `[rows, outputs]`.
  package func add(
    _ x: Activations, rowCount: Int, gatedBy weight: [Float], of input: Activations, to sums: Activations
  ) {
    precondition(x.columns == sums.columns && input.columns == x.columns && weight.count == x.columns)
    let (set, columns, stride, inputStride, sumStride) = (set, x.columns, x.stride, input.stride, sums.stride)
    let values = unsafe x.shared(rows: rowCount)
    let (inputs, output) = unsafe (input.shared(rows: rowCount), sums.shared(rows: rowCount))
    forRows(rowCount, columns: columns) { rows in
      for row in rows {
        unsafe ft_add_gated(
          set, values.pointer.assumingMemoryBound(to: Float.self) + row * stride, weight,
          inputs.pointer.assumingMemoryBound(to: Float.self) + row * inputStride, columns,
          output.pointer.assumingMemoryBound(to: Float.self) + row * sumStride)
      }
    }
  }

  /// x = x · factor.
  package func scale(_ x: Activations, rowCount: Int, by factor: Float) {
    let (columns, stride) = (x.columns, x.stride)
    let values = unsafe x.shared(rows: rowCount)
    forRows(rowCount, columns: columns) { rows in
      for row in rows {
        let row = unsafe values.pointer.assumingMemoryBound(to: Float.self) + row * stride
        for column in 0..<columns { unsafe row[column] *= factor }
      }
    }
  }

  /// x = cap · tanh(x / cap).
  package func softCap(_ x: Activations, rowCount: Int, cap: Float) {
    let (set, columns, stride) = (set, x.columns, x.stride)
    let values = unsafe x.shared(rows: rowCount)
    forRows(rowCount, columns: columns) { rows in
      for row in rows {
        unsafe ft_soft_cap(set, values.pointer.assumingMemoryBound(to: Float.self) + row * stride, columns, cap)
      }
    }
  }
}
