/// Number formats of StableHLO that programs here use; raw values are its spelling.
package enum ScalarType: String, Sendable, CaseIterable {
  /// IEEE single precision.
  case float32 = "f32"
  /// IEEE double precision.
  case float64 = "f64"
  case bfloat16 = "bf16"
  /// Signed, 32 bits.
  case int32 = "i32"
  /// Unsigned, 32 bits.
  case uint32 = "ui32"
  /// Unsigned, 64 bits.
  case uint64 = "ui64"
  /// True or false.
  case boolean = "i1"

  /// Whether it has a fraction.
  package var isFloat: Bool { [.float32, .float64, .bfloat16].contains(self) }
}

/// A static shape with its number format, in StableHLO's spelling `tensor<8x64xf32>`.
package struct TensorType: Sendable, Hashable, CustomStringConvertible {
  /// Extents, outermost first; empty for a scalar.
  package let shape: [Int]
  package let element: ScalarType

  package init(_ shape: [Int], _ element: ScalarType) {
    precondition(shape.allSatisfy { $0 > 0 }, "an extent of \(shape) is not above 0")
    (self.shape, self.element) = (shape, element)
  }

  /// Number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// As StableHLO writes it.
  package var description: String { "tensor<\(shape.map { "\($0)x" }.joined())\(element.rawValue)>" }
}

/// A value of a program: an argument, or what an operation gives.
package struct Value: Sendable, Hashable {
  /// Its name in the text, with the percent sign.
  let name: String
  /// Shape and format.
  package let type: TensorType

  /// Extents, outermost first.
  package var shape: [Int] { type.shape }
}
