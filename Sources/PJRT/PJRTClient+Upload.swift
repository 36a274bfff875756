internal import CPJRT

extension PJRTClient {
  /// Copies numbers to the devices.
  ///
  /// - Parameters:
  ///   - bytes: the elements, row-major; read during the call only.
  ///   - shape: extents, outermost first.
  ///   - split: the dimension of which each device gets its part; `nil` for a copy on each.
  /// - Returns: one buffer (per device).
  /// - Throws: `PJRTError`, out of memory among others.
  package func upload(
    _ bytes: RawSpan, _ type: PJRTElementType, shape: [Int], split: Int? = nil
  ) throws(PJRTError) -> PJRTBuffers {
    let expected = shape.reduce(type.byteCount, *)
    guard bytes.byteCount == expected else {
      throw .size(of: "an upload", found: bytes.byteCount, expected: expected)
    }
    var extents = shape.map(Int64.init)
    var strides = [Int64](repeating: Int64(type.byteCount), count: shape.count)
    for dimension in shape.indices.dropLast().reversed() {
      strides[dimension] = strides[dimension + 1] * extents[dimension + 1]
    }
    var step = 0
    if let split {
      precondition(shape[split] % deviceCount == 0)
      extents[split] /= Int64(deviceCount)
      step = Int(extents[split] * strides[split])
    }
    var buffers = PJRTBuffers(self)
    // A part of the outermost dimension lies in one piece.
    if split == nil || split == 0 { strides = [] }
    for device in 0..<deviceCount {
      var failure: PJRTError?
      var handle: PJRTHandle?
      unsafe bytes.withUnsafeBytes { source in
        guard let base = source.baseAddress else { return }
        do throws(PJRTError) {
          handle = try unsafe upload(base + device * step, type, extents, strides, device)
        } catch { failure = error }
      }
      if let failure { throw failure }
      guard let handle else { throw .size(of: "an upload", found: 0, expected: expected) }
      buffers.handles[device].append(handle)
    }
    return buffers
  }

  /// Copies floats to the devices.
  package func upload(_ floats: [Float], shape: [Int], split: Int? = nil) throws(PJRTError) -> PJRTBuffers {
    try unsafe upload(floats.span.bytes, .float32, shape: shape, split: split)
  }

  /// Copies bfloat16 values, given by their bits, to the devices.
  package func upload(bfloat16 bits: [UInt16], shape: [Int], split: Int? = nil) throws(PJRTError) -> PJRTBuffers {
    try unsafe upload(bits.span.bytes, .bfloat16, shape: shape, split: split)
  }

  /// Copies whole numbers to the devices.
  package func upload(_ integers: [Int32], shape: [Int]) throws(PJRTError) -> PJRTBuffers {
    try unsafe upload(integers.span.bytes, .int32, shape: shape)
  }

  /// Copies unsigned numbers to the devices.
  package func upload(_ words: [UInt32], shape: [Int]) throws(PJRTError) -> PJRTBuffers {
    try unsafe upload(words.span.bytes, .uint32, shape: shape)
  }

  /// Copies numbers of double precision to the devices.
  package func upload(_ doubles: [Double], shape: [Int]) throws(PJRTError) -> PJRTBuffers {
    try unsafe upload(doubles.span.bytes, .float64, shape: shape)
  }

  @unsafe private func upload(
    _ data: UnsafeRawPointer, _ type: PJRTElementType, _ extents: [Int64], _ strides: [Int64], _ device: Int
  ) throws(PJRTError) -> PJRTHandle {
    var done: OpaquePointer?
    var buffer: OpaquePointer?
    try unsafe plugin.check(
      ft_pjrt_upload(
        plugin.api, handle, deviceHandles[device].pointer, data, type.rawValue, extents, extents.count, strides,
        strides.count,
        &done, &buffer), "copy to the device")
    if let done = unsafe done { try unsafe PJRTEvent(done, plugin).wait(for: "copy to the device") }
    guard let buffer = unsafe buffer else {
      throw .reported(operation: "copy to the device", message: "no buffer came back")
    }
    return unsafe PJRTHandle(buffer)
  }
}
