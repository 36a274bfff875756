package import Tuning

/// A deployment that was checked: every default settled, every sum done.
package struct DeploymentPlan: Sendable, Equatable {
  /// How tokens are proposed.
  package struct Speculation: Sendable, Equatable {
    package let method: DeployedMethod
    package let draft: ModelPlace?
    /// `nil` leaves the window to the engine (Foretoken's `auto`).
    package let window: Int?
    package let windowsByBatchSize: [[Int]]?
  }

  package let request: DeploymentRequest
  package let stack: EngineStack
  package let target: ServedModel
  package let place: ModelPlace
  /// `nil` for methods without a draft, and for heads without a known shape.
  package let draft: ServedModel?
  package let speculation: Speculation?
  package let instance: InstanceType
  package let tensorParallel: Int
  /// Accelerators of one pod.
  package let devices: Int
  package let maximumLength: Int
  package let maximumSequences: Int
  package let prefillBuckets: [Int]
  package let sequenceBuckets: [Int]
  package let storage: ModelStorage
  package let allocation: DeviceAllocation
  package let nodes: NodeProvisioning
  package let image: String
  /// The image with Foretoken that compares two servers; `nil` for one server.
  package let benchmarkImage: String?
  /// Memory of the host that a pod asks for, in GiB, and processors.
  package let hostMemory: Int
  package let processors: Int
  package let disk: DiskBudget
  /// How long the longest answer takes, in seconds.
  package let longestAnswer: Int
  /// Machines for all servers.
  package let machines: Int
  /// Stages of layers, and machines of one replica.
  package let stages: Int
  package let machinesPerReplica: Int
  /// Arguments of both servers beyond what the rest says.
  package let extraArguments: [String]
  /// Most replicas that scaling reaches.
  package let mostReplicas: Int
  /// What an hour of one server's share of the machine costs; `nil` where no price is known.
  package let price: Price?
  /// Whether the benchmark fails on answers that differ.
  package let requiresEqualOutputs: Bool
  package let arithmetic: [ArithmeticLine]
  /// What holds but should be known.
  package let notes: [String]

  /// Pods of one server variant that fit on a machine.
  package var podsPerMachine: Int { instance.devices == 0 ? 1 : max(1, instance.devices / max(1, devices)) }
  /// Servers that differ only in speculation.
  package var variants: [Variant] {
    speculation == nil ? [.baseline] : request.withBaseline ? [.speculative, .baseline] : [.speculative]
  }
  /// Whether there is a compiled program to keep between pods.
  package var compilesAhead: Bool { instance.isNeuron && storage != .emptyDir }

  /// One of the servers.
  package enum Variant: String, Sendable, CaseIterable { case speculative, baseline }
}
