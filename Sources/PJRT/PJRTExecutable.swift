internal import CPJRT

/// A program that is compiled and loaded onto a client's devices.
@safe package struct PJRTExecutable: ~Copyable {
  private let client: PJRTClient
  @unsafe private let handle: OpaquePointer
  /// Number of its results.
  package let resultCount: Int

  /// Compiles StableHLO text.
  ///
  /// - Throws: `PJRTError` with the compiler's message.
  package init(_ client: PJRTClient, stableHLO text: String, options: PJRTCompileOptions) throws(PJRTError) {
    let code = Array(text.utf8CString)
    let serialized = options.serialized
    var loaded: OpaquePointer?
    try unsafe client.plugin.check(
      ft_pjrt_compile(
        client.plugin.api, client.handle, code, code.count - 1, serialized, serialized.count, &loaded),
      "compile a program")
    try unsafe self.init(client, loaded)
  }

  /// Loads a program that `serialized` gave, in this process or an earlier one.
  ///
  /// The plugin trusts the bytes: whoever keeps them checks that they are still what they were.
  ///
  /// - Throws: `PJRTError` when the plugin cannot load programs, or not this one.
  package init(_ client: PJRTClient, serialized bytes: RawSpan) throws(PJRTError) {
    var loaded: OpaquePointer?
    var failure: PJRTError?
    unsafe bytes.withUnsafeBytes { bytes in
      do throws(PJRTError) {
        try unsafe client.plugin.check(
          ft_pjrt_deserialize(client.plugin.api, client.handle, bytes.baseAddress, bytes.count, &loaded),
          "load a compiled program")
      } catch { failure = error }
    }
    if let failure { throw failure }
    try unsafe self.init(client, loaded)
  }

  /// The compiled program as bytes, for the same plugin on the same kind of device.
  ///
  /// - Throws: `PJRTError` when the plugin cannot give them.
  package borrowing func serialized() throws(PJRTError) -> [UInt8] {
    var bytes = unsafe ft_pjrt_bytes()
    try unsafe client.plugin.check(ft_pjrt_serialize(client.plugin.api, handle, &bytes), "save a compiled program")
    defer { unsafe ft_pjrt_free_bytes(bytes) }
    guard let start = unsafe bytes.start, unsafe bytes.size > 0 else {
      throw .reported(operation: "save a compiled program", message: "no bytes came back")
    }
    return unsafe Array(UnsafeRawBufferPointer(start: start, count: bytes.size))
  }

  @unsafe private init(_ client: PJRTClient, _ loaded: OpaquePointer?) throws(PJRTError) {
    guard let loaded = unsafe loaded else {
      throw .reported(operation: "compile a program", message: "no program came back")
    }
    var count = 0
    do throws(PJRTError) {
      try unsafe client.plugin.check(
        ft_pjrt_count_results(client.plugin.api, loaded, &count), "count a program's results")
    } catch {
      unsafe ft_pjrt_free_executable(client.plugin.api, loaded)
      throw error
    }
    self.client = client
    unsafe handle = loaded
    resultCount = count
  }

  deinit { unsafe ft_pjrt_free_executable(client.plugin.api, handle) }

  /// Runs the program and waits for it.
  ///
  /// - Parameters:
  ///   - constants: buffers that stay.
  ///   - places: which of `constants` are the first arguments, in order.
  ///   - inputs: the arguments after them. They are gone afterwards, whether the program reuses their memory or not.
  /// - Returns: the results.
  /// - Throws: `PJRTError` when the program does not start, or fails on a device.
  package borrowing func run(
    _ constants: borrowing PJRTBuffers, at places: [Int], _ inputs: consuming PJRTBuffers
  ) throws(PJRTError) -> PJRTBuffers {
    try run(constants.handles(at: places), inputs)
  }

  /// The same with two sets of buffers that stay, one after the other.
  package borrowing func run(
    _ constants: borrowing PJRTBuffers, at places: [Int], and others: borrowing PJRTBuffers, at otherPlaces: [Int],
    _ inputs: consuming PJRTBuffers
  ) throws(PJRTError) -> PJRTBuffers {
    let (first, second) = (constants.handles(at: places), others.handles(at: otherPlaces))
    return try run(zip(first, second).map { $0 + $1 }, inputs)
  }

  /// The same without buffers that stay.
  package borrowing func run(_ inputs: consuming PJRTBuffers) throws(PJRTError) -> PJRTBuffers {
    try run(Array(repeating: [], count: client.deviceCount), inputs)
  }

  /// - Parameter constants: by device.
  private borrowing func run(
    _ constants: [[PJRTHandle]], _ inputs: consuming PJRTBuffers
  ) throws(PJRTError) -> PJRTBuffers {
    let plugin = client.plugin
    var arguments: [OpaquePointer?] = unsafe []
    for (constant, input) in zip(constants, inputs.handles) {
      for handle in constant + input { unsafe arguments.append(handle.pointer) }
    }
    let argumentCount = constants[0].count + inputs.count
    var results = unsafe [OpaquePointer?](repeating: nil, count: client.deviceCount * resultCount)
    var events = unsafe [OpaquePointer?](repeating: nil, count: client.deviceCount)
    let error = unsafe ft_pjrt_run(
      plugin.api, handle, client.deviceCount, arguments, argumentCount, &results, resultCount, &events)
    try unsafe plugin.check(error, "run a program")
    let count = resultCount
    let buffers = PJRTBuffers(
      client,
      handles: (0..<client.deviceCount).map { device in
        unsafe results[device * count..<(device + 1) * count].compactMap { unsafe $0.map { unsafe PJRTHandle($0) } }
      })
    var failure: PJRTError?
    for index in unsafe events.indices {
      guard let event = unsafe events[index] else { continue }
      do throws(PJRTError) { try unsafe PJRTEvent(event, plugin).wait(for: "run a program") } catch { failure = error }
    }
    if let failure { throw failure }
    return buffers
  }
}
