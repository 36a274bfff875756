import Deployment

/// Everything that can be asked for together: engine × method × storage × how pods get devices.
struct Combination: CustomStringConvertible, Sendable {
  let engine: ServingEngine
  let method: DeployedMethod?
  let storage: ModelStorage
  let allocation: DeviceAllocation

  var description: String {
    "\(engine.rawValue) \(method?.rawValue ?? "none") \(storage.rawValue) \(allocation.rawValue)"
  }

  static let all: [Combination] = ServingEngine.allCases.flatMap { engine in
    let methods = Set(EngineStack.stacks(of: engine).flatMap(\.methods))
    let asked: [DeployedMethod?] = DeployedMethod.allCases.filter { methods.contains($0) } + [nil]
    return asked.flatMap { method in
      ModelStorage.allCases.flatMap { storage in
        (engine == .vllmNeuron ? DeviceAllocation.allCases : [.devicePlugin]).map {
          Combination(engine: engine, method: method, storage: storage, allocation: $0)
        }
      }
    }
  }

  /// Foretoken's image, of which none is published.
  static let ownImage = "registry.example/foretoken:0.1.0"

  var request: DeploymentRequest {
    var request = DeploymentRequest(engine: engine, target: engine == .foretoken ? "Qwen/Qwen3-4B" : "Qwen/Qwen3-32B")
    request.image = engine == .foretoken ? Self.ownImage : nil
    request.benchmarkImage = engine == .foretoken ? nil : Self.ownImage
    request.method = method
    request.draft =
      switch method {
      case .draftModel, .auto: engine == .foretoken ? "Qwen/Qwen3-0.6B" : "Qwen/Qwen3-1.7B"
      case .eagle3: "RedHatAI/Qwen3-32B-speculator.eagle3"
      case .dflash: "z-lab/Qwen3-32B-DFlash"
      default: nil
      }
    request.storage = storage
    request.bucket = storage == .s3 ? "weights-bucket" : nil
    request.allocation = allocation
    // Both servers of an accelerator's machine fit on it; a disk of one machine holds one server elsewhere.
    request.withBaseline = method != nil && !(storage == .pvc && engine != .vllmNeuron)
    return request
  }

  func plan() throws -> DeploymentPlan { try DeploymentPlan(request) }
  func manifests() throws -> [Manifest] { try ManifestBuilder(try plan()).manifests() }
}
