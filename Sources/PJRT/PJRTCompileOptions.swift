/// How a program is compiled: XLA's `CompileOptionsProto`, of which few fields are used.
package struct PJRTCompileOptions: Sendable, Equatable {
  /// Devices among which the program is partitioned.
  package var partitionCount: Int

  /// Options for a program over `partitionCount` devices.
  package init(partitionCount: Int = 1) { self.partitionCount = partitionCount }

  /// The message in protocol buffers' wire format.
  ///
  /// `executable_build_options` (3) { `device_ordinal` (1) = -1, `num_replicas` (4) = 1, `num_partitions` (5),
  /// and for several `use_spmd_partitioning` (6), `use_shardy_partitioner` (19) }.
  package var serialized: [UInt8] {
    var build = Self.field(1, UInt64.max) + Self.field(4, 1) + Self.field(5, UInt64(partitionCount))
    if partitionCount > 1 { build += Self.field(6, 1) + Self.field(19, 1) }
    return Self.number(3 << 3 | 2) + Self.number(UInt64(build.count)) + build
  }

  private static func field(_ tag: UInt64, _ value: UInt64) -> [UInt8] { number(tag << 3) + number(value) }

  /// Seven bits to a byte, the lowest first.
  private static func number(_ value: UInt64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while rest > 0x7F {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
}
