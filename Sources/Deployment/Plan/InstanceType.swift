/// A machine of a cloud, as far as a deployment depends on it.
package struct InstanceType: Sendable, Equatable {
  /// What it computes with.
  package enum Accelerator: String, Sendable { case trainium2, trainium1, inferentia2, nvidia, none }

  package let name: String
  package let accelerator: Accelerator
  /// Accelerators: Neuron devices or GPUs.
  package let devices: Int
  /// Physical cores of a device; one for a GPU.
  package let coresPerDevice: Int
  /// Physical cores that the runtime joins into one (LNC).
  package let logicalCoreSize: Int
  /// High-bandwidth memory of a device, in GiB.
  package let deviceMemory: Int
  package let processors: Int
  /// Memory of the host, in GiB.
  package let hostMemory: Int
  /// Disks in the machine, in GB.
  package let localDisk: Int

  /// Cores that tensor parallelism counts.
  package var logicalCoresPerDevice: Int { coresPerDevice / logicalCoreSize }
  package var logicalCores: Int { devices * logicalCoresPerDevice }
  package var isNeuron: Bool { accelerator != .nvidia && accelerator != .none }

  /// The name that `NEURON_PLATFORM_TARGET_OVERRIDE` and people use for the family.
  package var family: String { String(name.prefix { $0 != "." }) }

  /// Those known by name. Trn2, Inf2, Trn1: Neuron's hardware pages; the others: AWS's instance pages (November 2026).
  ///
  /// https://awsdocs-neuron.readthedocs-hosted.com/en/latest/about-neuron/arch/neuron-hardware/trn2-arch.html
  package static let all: [InstanceType] = [
    trainium2("trn2.48xlarge", devices: 16, processors: 192, memory: 2048, disk: 7600),
    trainium2("trn2.3xlarge", devices: 1, processors: 12, memory: 128, disk: 470),
    neuronV2("trn1.2xlarge", .trainium1, devices: 1, processors: 8, memory: 32, disk: 470),
    neuronV2("trn1.32xlarge", .trainium1, devices: 16, processors: 128, memory: 512, disk: 7600),
    neuronV2("inf2.xlarge", .inferentia2, devices: 1, processors: 4, memory: 16, disk: 0),
    neuronV2("inf2.8xlarge", .inferentia2, devices: 1, processors: 32, memory: 128, disk: 0),
    neuronV2("inf2.24xlarge", .inferentia2, devices: 6, processors: 96, memory: 384, disk: 0),
    neuronV2("inf2.48xlarge", .inferentia2, devices: 12, processors: 192, memory: 768, disk: 0),
    gpu("g6.2xlarge", devices: 1, memory: 24, processors: 8, host: 32, disk: 450),
    gpu("g6.12xlarge", devices: 4, memory: 24, processors: 48, host: 192, disk: 3760),
    gpu("g6e.2xlarge", devices: 1, memory: 48, processors: 8, host: 64, disk: 450),
    gpu("g6e.12xlarge", devices: 4, memory: 48, processors: 48, host: 384, disk: 3800),
    gpu("p4d.24xlarge", devices: 8, memory: 40, processors: 96, host: 1152, disk: 8000),
    gpu("p5.4xlarge", devices: 1, memory: 80, processors: 16, host: 256, disk: 3840),
    gpu("p5.48xlarge", devices: 8, memory: 80, processors: 192, host: 2048, disk: 30720),
    gpu("p5en.48xlarge", devices: 8, memory: 141, processors: 192, host: 2048, disk: 30720),
    processor("c7i.4xlarge", processors: 16, memory: 32),
    processor("m7i.4xlarge", processors: 16, memory: 64),
    processor("m7i.8xlarge", processors: 32, memory: 128),
    processor("r7i.4xlarge", processors: 16, memory: 128),
    processor("r7i.8xlarge", processors: 32, memory: 256),
  ]

  package static func named(_ name: String) -> InstanceType? { all.first { $0.name == name } }

  private static func trainium2(_ name: String, devices: Int, processors: Int, memory: Int, disk: Int) -> Self {
    Self(
      name: name, accelerator: .trainium2, devices: devices, coresPerDevice: 8, logicalCoreSize: 2, deviceMemory: 96,
      processors: processors, hostMemory: memory, localDisk: disk)
  }

  private static func neuronV2(
    _ name: String, _ accelerator: Accelerator, devices: Int, processors: Int, memory: Int, disk: Int
  ) -> Self {
    Self(
      name: name, accelerator: accelerator, devices: devices, coresPerDevice: 2, logicalCoreSize: 1, deviceMemory: 32,
      processors: processors, hostMemory: memory, localDisk: disk)
  }

  private static func gpu(
    _ name: String, devices: Int, memory: Int, processors: Int, host: Int, disk: Int
  ) -> Self {
    Self(
      name: name, accelerator: .nvidia, devices: devices, coresPerDevice: 1, logicalCoreSize: 1, deviceMemory: memory,
      processors: processors, hostMemory: host, localDisk: disk)
  }

  private static func processor(_ name: String, processors: Int, memory: Int) -> Self {
    Self(
      name: name, accelerator: .none, devices: 0, coresPerDevice: 1, logicalCoreSize: 1, deviceMemory: 0,
      processors: processors, hostMemory: memory, localDisk: 0)
  }
}
