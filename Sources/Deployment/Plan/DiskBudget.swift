internal import Foundation

/// What a node's disk must hold. A pod that outgrows its share is evicted, hours into compiling; so it asks for its
/// share (`ephemeral-storage`), and a node that cannot hold it is refused.
package struct DiskBudget: Sendable, Equatable {
  /// Sizes that no file tells, in GiB: a compiled program, the compiler's work files, logs, an image with Neuron's or
  /// CUDA's libraries, one of Foretoken or of copying tools, and the operating system. Assumptions.
  private static let (program, workFiles, logs) = (1, 50, 10)
  private static let (largeImage, smallImage, system) = (40, 4, 10)
  /// Of a disk, what pods and images may use: kubelet removes images at 85 % and evicts pods at 90 %.
  ///
  /// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
  static let usable = 0.85
  /// The largest volume that Karpenter takes (its schema of `volumeSize`); EBS has 64 TiB.
  private static let largestVolume = 59_000

  /// Of /local and /tmp: what a pod's folders may hold, in GiB.
  package let local: Int
  package let temporary: Int
  /// What the volume of models holds, in GiB.
  package let models: Int
  /// What a node needs for all pods that fit on it, in GiB.
  package let node: Int
  /// The node's own volume, in GiB.
  package let nodeVolume: Int
  /// Whether pods live on disks inside the machine, joined into one.
  package let usesLocalDisks: Bool
  package let arithmetic: [ArithmeticLine]
  package let problem: String?

  /// What a pod asks for, in GiB.
  package var pod: Int { local + temporary + Self.logs }

  /// - Parameters:
  ///   - models: the target, and the draft where it has weights of its own; a head by its bytes.
  ///   - others: bytes of drafts that are kept beside these models and served by other pods.
  ///   - variants: servers that keep compiled programs of their own.
  ///   - programs: compiled shapes of one model.
  ///   - pods: that fit on a machine.
  init(
    models: [ServedModel], headBytes: Int, stack: EngineStack, others: Int, storage: ModelStorage,
    instance: InstanceType,
    tensorParallel: Int, variants: Int, programs: Int, pods: Int, given: Int?
  ) {
    func gib(_ bytes: Int) -> Int { (bytes + (1 << 30) - 1) >> 30 }
    let copies = gib(models.map(\.weightBytes).reduce(headBytes, +))
    let shards =
      stack.dialect == .neuronInference
      ? gib(models.map { $0.shardedBytes(tensorParallel: tensorParallel) }.reduce(0, +)) : 0
    // Foretoken packs weights once, into its cache.
    let packed =
      stack.dialect == .foretoken
      ? gib(models.map { $0.weights(as: stack.weightForm).bytes }.reduce(headBytes, +)) : 0
    let compiled = instance.isNeuron ? Self.program * max(1, programs) * (models.count + (headBytes > 0 ? 1 : 0)) : 0
    let isLocal = !storage.isVolume
    var parts = isLocal ? ["models \(copies)"] : []
    if shards > 0 { parts.append("weights again in shards \(shards)") }
    if packed > 0 { parts.append("packed weights \(packed)") }
    if compiled > 0 { parts.append("compiled programs \(compiled)") }
    local = (isLocal ? copies : 0) + shards + packed + compiled + 10
    temporary = instance.isNeuron ? Self.workFiles : 20
    // The models, and what each server keeps compiled, of this version and the one before.
    self.models = copies + gib(others) + 2 * variants * (shards + compiled) + 50
    let pod = local + temporary + Self.logs
    let images = stack.dialect == .foretoken ? Self.smallImage : Self.largeImage + 2 * Self.smallImage
    node = Int((Double(pods * pod + images + Self.system) / Self.usable).rounded(.up))
    usesLocalDisks = given == nil && Int(Double(instance.localDisk) * 1e9) >> 30 >= node
    nodeVolume = given ?? (usesLocalDisks ? 100 : (node + 49) / 50 * 50)
    let disk =
      usesLocalDisks
      ? "its own disks have \(instance.localDisk) GB, joined (RAID0)" : "the node's volume has \(nodeVolume) GiB"
    let inside = (parts + ["room 10"]).joined(separator: " + ")
    arithmetic = [
      ArithmeticLine(
        topic: "disk per pod",
        text: "\(inside) = \(local) GiB in /local; + /tmp \(temporary) + logs \(Self.logs) = \(pod) GiB"),
      ArithmeticLine(
        topic: "disk per node",
        text: "(\(pods) × \(pod) + images \(images) + system \(Self.system)) / \(Self.usable) = \(node) GiB; \(disk)"),
    ]
    if node > max(nodeVolume, usesLocalDisks ? node : 0) {
      problem =
        "--node-volume-size is \(nodeVolume) GiB and \(node) GiB are needed; leave it out, or take at least that"
    } else if nodeVolume > Self.largestVolume {
      problem = "the nodes need a disk of \(nodeVolume) GiB, and the largest volume has \(Self.largestVolume) GiB"
    } else {
      problem = nil
    }
  }
}

extension ServedModel {
  /// Bytes of the weights as NxD Inference saves them for its cores, in bf16: key/value heads are repeated until each
  /// core has one, and query heads padded until they divide.
  package func shardedBytes(tensorParallel: Int) -> Int {
    let repeated = max(keyValueHeads, tensorParallel) - keyValueHeads
    let padded = (heads + tensorParallel - 1) / tensorParallel * tensorParallel - heads
    return 2 * parameters + 2 * attentionLayers * hiddenSize * headSize * (2 * repeated + 2 * padded)
  }
}
