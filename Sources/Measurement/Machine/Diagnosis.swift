internal import Foundation
internal import Inference
package import ModelFiles
internal import PJRT
package import Tensor
package import Transformer

/// What `foretoken doctor` finds: whether this machine is fit to run models, and how fast it could.
package struct Diagnosis: Sendable, Encodable {
  /// One thing that was looked at.
  package struct Check: Sendable, Encodable {
    package enum State: String, Sendable, Encodable {
      case ok, warning, fault
      /// Not looked at.
      case skipped
    }

    package let topic: Topic
    package let name: String
    package let state: State
    package let found: String
    /// What to do about a warning or a fault.
    package let advice: String?
  }

  package enum Topic: String, Sendable, Encodable, CaseIterable { case machine, memory, storage, hub, accelerators }

  /// What the machine was measured to do, per second.
  package struct Ceilings: Sendable, Encodable {
    package let read_bytes, byte_operations, float_operations: Double
  }

  package private(set) var checks: [Check] = []
  package private(set) var ceilings: Ceilings?
  package private(set) var threads = 1
  /// Memory that a process can have, in bytes.
  package private(set) var room_bytes = 0
  package private(set) var expected: [DecodingEstimate] = []

  /// Whether something keeps models from running.
  package var hasFault: Bool { checks.contains { $0.state == .fault } }

  package init() {}

  private mutating func add(
    _ topic: Topic, _ name: String, _ found: String, _ state: Check.State = .ok, advice: String? = nil
  ) {
    checks.append(Check(topic: topic, name: name, state: state, found: found, advice: advice))
  }

  // MARK: Machine

  /// Looks at processors and at who else uses them; takes a third of a second.
  ///
  /// - Parameter root: folder that stands for `/`.
  package mutating func examineMachine(root: String = "/") {
    let share = ProcessorShare(root: root)
    threads = share.threads
    add(.machine, "processor", Processor.name)
    examineKernels()
    let quota = share.quota.map { String(format: ", of which the container may use %.2f", $0) } ?? ""
    add(.machine, "cores", "\(share.cores) physical\(quota)")
    let shortened = share.quota.map { $0 < Double(share.cores) } ?? false
    add(
      .machine, "threads", "\(threads), one per core" + (shortened ? " that the container may use" : ""))
    add(
      .machine, "memory nodes",
      share.nodes.count == 1 ? "1" : "\(share.nodes.count): threads and weights stay together (--cpu-affinity)")
    examineLoad(root: root, cores: share.cores)
    guard let mode = MachineMemory(root: root)?.hugePages else { return }
    add(
      .machine, "huge pages", mode, mode == "never" ? .warning : .ok,
      advice: mode == "never"
        ? "large models are read faster from huge pages: as root, echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
        : nil)
  }

  private mutating func examineKernels() {
    let (best, all) = (InstructionSet.best, InstructionSet.available.map(\.rawValue))
    guard best == .portable else {
      let others = all.joined(separator: ", ")
      return add(.machine, "kernels", "\(best.rawValue), the fastest that this processor has (of \(others))")
    }
    add(
      .machine, "kernels", "portable: this processor lacks the instructions that others are written for", .warning,
      advice: "expect a tenth of the speed; processors with AVX2 (x86-64) or dot products (AArch64) are faster")
  }

  private mutating func examineLoad(root: String, cores: Int) {
    guard let before = ProcessorTimes(root: root) else { return }
    Thread.sleep(forTimeInterval: Self.loadSeconds)
    guard let load = ProcessorTimes(root: root)?.average(since: before) else { return }
    let isBusy = load.busy >= Self.busyShare * Double(cores)
    add(
      .machine, "other programs", String(format: "%.1f processors busy", load.busy), isBusy ? .warning : .ok,
      advice: isBusy
        ? "end them, or expect less speed than estimated: 'foretoken bench contention' measures how much is left" : nil)
    guard load.stolen >= Self.stolenShare * Double(cores) else { return }
    add(
      .machine, "other guests", String(format: "the host keeps %.1f processors for others", load.stolen), .warning,
      advice: "speeds change with what the host's other guests do; measure more than once")
  }

  private static let loadSeconds = 0.3
  /// Shares of the cores above which others are in the way.
  private static let busyShare = 0.25, stolenShare = 0.05

  // MARK: Memory

  /// Looks at memory, measures how fast it is read, and works out what to expect; takes a second.
  ///
  /// - Parameter root: folder that stands for `/`.
  /// - Throws: `ModelFileError` when the sizes of a known model make no sense.
  package mutating func examineMemory(root: String = "/") throws(ModelFileError) {
    let limits = MemoryLimit.all(root: root).filter(\.canBeRaised)
    let memory = MachineMemory(root: root)
    let bounds = [memory?.available].compactMap(\.self) + limits.map(\.bytes)
    room_bytes = bounds.min() ?? 0
    if let memory { add(.memory, "memory", "\(memory.available.byteText) available of \(memory.total.byteText)") }
    for limit in limits { add(.memory, "limit", "\(limit.name): \(limit.bytes.byteText)") }
    do {
      let sample = try MachineCeilings.measured(threads: threads)
      ceilings = Ceilings(
        read_bytes: sample.readBandwidth, byte_operations: sample.byteOperations,
        float_operations: sample.floatOperations)
      add(
        .memory, "read bandwidth",
        String(format: "%.1f GB/s on %d thread%@", sample.readBandwidth / 1e9, threads, threads == 1 ? "" : "s"))
      expected = try DecodingEstimate.all(ceilings: sample, room: room_bytes)
    } catch let error as ModelFileError {
      throw error
    } catch {
      add(.memory, "read bandwidth", "\(error)", .fault, advice: "end other programs, or raise the limit on memory")
    }
    guard !expected.isEmpty, !expected.contains(where: \.fits) else { return }
    add(
      .memory, "room for models", "none: not even \(expected[0].model) in \(expected[0].quantization) has room", .fault,
      advice: "end other programs, or raise the limit on memory")
  }

  // MARK: Storage and hub

  /// Looks at the caches of models and of packed weights.
  package mutating func examineStorage(_ cache: HubCache = HubCache(), weights: WeightCache) {
    let models = cache.contents()
    let bytes = models.reduce(0) { $0.addingReportingOverflow($1.bytes).partialValue }
    let free = cache.freeBytes
    add(
      .storage, "models", "\(cache.root): \(models.count) model\(models.count == 1 ? "" : "s"), \(bytes.byteText)")
    if !Self.canWrite(in: cache.root) {
      add(
        .storage, "models", "\(cache.root) cannot be written to", .fault,
        advice: "allow it, or name another folder with HF_HOME, so that 'foretoken pull' works")
    }
    if let free {
      let isFull = free < Self.leastFreeBytes
      add(
        .storage, "free disk", free.byteText, isFull ? .warning : .ok,
        advice: isFull ? "few models have room; 'foretoken models' says what takes it and how to free it" : nil)
    }
    let kept = weights.kept.reduce(0) { $0 + $1.bytes }
    let isWritable = Self.canWrite(in: weights.folder)
    add(
      .storage, "packed weights", "\(weights.folder): \(kept.byteText)" + (isWritable ? "" : ", cannot be written to"),
      isWritable ? .ok : .warning,
      advice: isWritable
        ? nil : "allow it, or name another folder with FORETOKEN_CACHE; else weights are packed anew at every start")
  }

  /// Disk space with which only small models can be had.
  private static let leastFreeBytes = 5_000_000_000

  /// Whether files can be made in a folder, or the folder itself where it is not there yet.
  private static func canWrite(in folder: String) -> Bool {
    var place = URL(fileURLWithPath: folder).standardizedFileURL
    while place.path != "/", !FileManager.default.fileExists(atPath: place.path) { place.deleteLastPathComponent() }
    var isDirectory: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(atPath: place.path, isDirectory: &isDirectory)
    return exists && isDirectory.boolValue && FileManager.default.isWritableFile(atPath: place.path)
  }

  /// Notes what the hub is, and asks it when that is wanted.
  package mutating func examineHub(_ client: HubClient, asks: Bool) async {
    add(
      .hub, "hub",
      client.endpoint + (client.hasToken ? ", with a token" : ", without a token: gated models need HF_TOKEN"))
    guard asks else { return add(.hub, "reachable", "not asked: --online asks", .skipped) }
    do {
      try await client.checkReachable(withinSeconds: 5)
      add(.hub, "reachable", "yes")
    } catch {
      add(
        .hub, "reachable", "no: \(error)", .warning,
        advice: "models that are here can be used; HF_ENDPOINT names another hub, https_proxy a proxy")
    }
  }

  // MARK: Accelerators

  /// Looks for PJRT plugins, and loads those that there are.
  ///
  /// - Parameter wanted: a plugin that has to be there, by its name or its path.
  package mutating func examineAccelerators(wanted: String?) {
    var hasFound = false
    for name in PJRTPluginLocation.names.filter({ $0 != wanted }) + (wanted.map { [$0] } ?? []) {
      guard name == wanted || (try? PJRTPluginLocation(name)) != nil else { continue }
      hasFound = true
      do {
        let plugin = try PJRTPlugin(try PJRTPluginLocation(name))
        add(.accelerators, "plugin \(name)", "\(plugin.path), PJRT \(plugin.version): it loads")
      } catch {
        add(
          .accelerators, "plugin \(name)", "\(error)", name == wanted ? .fault : .warning,
          advice: "docs/accelerators.md says how to install it; without it models run on the processor")
      }
    }
    if !hasFound {
      let names = PJRTPluginLocation.names.joined(separator: ", ")
      add(.accelerators, "plugins", "none of \(names): models run on the processor")
    }
  }
}

extension MachineCeilings {
  /// The median of about a second of measurements.
  package static func measured(threads: Int) throws -> Sample {
    let ceilings = try MachineCeilings(pool: WorkerPool(threadCount: threads, affinity: .auto))
    var samples: [Sample] = []
    let started = ContinuousClock.now
    while samples.count < 3 || ContinuousClock.now - started < .seconds(1) { samples.append(ceilings.measure()) }
    return ForwardReport.Ceilings(samples).medians
  }
}
