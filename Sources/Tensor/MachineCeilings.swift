internal import CForetokenKernels

/// What the machine can do at most on the threads of a pool, measured: nothing that reads weights or multiplies can be
/// faster.
package final class MachineCeilings {
  /// One measurement.
  package struct Sample: Sendable {
    /// Bytes per second that all threads read together.
    package let readBandwidth: Double
    /// Operations per second (a product and its sum are two) on bytes, as the integer formats compute.
    package let byteOperations: Double
    /// Operations per second on floats.
    package let floatOperations: Double

    /// Figures taken elsewhere, such as medians of several samples.
    package init(readBandwidth: Double, byteOperations: Double, floatOperations: Double) {
      self.readBandwidth = readBandwidth
      self.byteOperations = byteOperations
      self.floatOperations = floatOperations
    }
  }

  private let pool: WorkerPool
  private let set: ft_instruction_set
  private let memory: AlignedMemory
  private static let partBytes = 64 << 20
  private let results: AlignedMemory

  /// Reserves memory that is larger than caches: 64 MiB for each thread.
  ///
  /// - Throws: `MemoryError` when there is not enough.
  package init(pool: WorkerPool, instructionSet: InstructionSet? = nil) throws(MemoryError) {
    self.pool = pool
    set = (instructionSet ?? .best).kernelValue
    memory = try AlignedMemory(byteCount: pool.threadCount * Self.partBytes, for: "the bandwidth measurement")
    results = try AlignedMemory(byteCount: pool.threadCount * 64, for: "the bandwidth measurement")
    let address = unsafe SharedAddress(memory.pointer)
    pool.run { worker in
      let part = unsafe address.pointer + worker * Self.partBytes
      unsafe ft_fill_random_halves(
        UInt64(worker), Self.partBytes / 2, part.assumingMemoryBound(to: UInt16.self))
    }
  }

  /// Measures once; takes some tens of milliseconds. Bandwidth is the best of several ways of reading.
  package func measure() -> Sample {
    let bytes = Double(pool.threadCount * Self.partBytes)
    let bandwidth = [1, 2, 4].map { bytes / read(streams: $0) }.max() ?? 0
    return Sample(
      readBandwidth: bandwidth, byteOperations: multiply(FT_BYTES), floatOperations: multiply(FT_FLOATS))
  }

  /// Seconds to read everything once.
  private func read(streams: Int) -> Double {
    let (set, address, results) = unsafe (set, SharedAddress(memory.pointer), SharedAddress(results.pointer))
    return seconds {
      pool.run { worker in
        let sum = unsafe ft_read_memory(set, address.pointer + worker * Self.partBytes, Self.partBytes, streams)
        unsafe results.pointer.storeBytes(of: sum, toByteOffset: worker * 64, as: UInt32.self)
      }
    }
  }

  /// Operations per second of all threads.
  private func multiply(_ arithmetic: ft_arithmetic) -> Double {
    let (set, results) = unsafe (set, SharedAddress(results.pointer))
    var ignored: UInt32 = 0
    // A first run tells how many iterations take about ten milliseconds.
    let trial = 20_000
    let trialSeconds = seconds { unsafe _ = ft_multiply(set, arithmetic, trial, &ignored) }
    let iterations = max(trial, Int(Double(trial) * 0.01 / max(trialSeconds, 1e-6)))
    var products: UInt64 = 0
    let duration = seconds {
      pool.run { worker in
        let result = unsafe (results.pointer + worker * 64).assumingMemoryBound(to: UInt32.self)
        let count = unsafe ft_multiply(set, arithmetic, iterations, result)
        unsafe (results.pointer + worker * 64 + 8).storeBytes(of: count, as: UInt64.self)
      }
    }
    for worker in 0..<pool.threadCount {
      products += unsafe results.pointer.load(fromByteOffset: worker * 64 + 8, as: UInt64.self)
    }
    return 2 * Double(products) / duration
  }

  private func seconds(_ body: () -> Void) -> Double {
    let duration = ContinuousClock().measure(body)
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
