internal import Tuning

// What the benchmark is told, and what a sweep keeps.

extension Preflight {
  /// What an hour of one server costs: the machine's, by its share of the devices.
  mutating func settlePrice(_ instance: InstanceType, devices: Int) -> Price? {
    if let given = request.pricePerHour, !(given > 0 && given.isFinite && given < 100_000) {
      refuse("--price-per-hour is \(given); expected US dollars for an hour of a whole machine, more than 0")
      return nil
    }
    let whole: Price
    if let given = request.pricePerHour {
      whole = Price(dollarsPerHour: given, instance: instance.name, source: "given with --price-per-hour")
    } else if let known = try? InstanceTable.builtIn().price(of: instance.name) {
      whole = known
    } else {
      if request.withBaseline {
        note("no price of \(instance.name) is known: give --price-per-hour for dollars per million tokens")
      }
      return nil
    }
    guard instance.devices > devices, devices > 0 else { return whole }
    let share = whole.dollarsPerHour * Double(devices) / Double(instance.devices)
    return Price(
      dollarsPerHour: (share * 10_000).rounded() / 10_000, instance: instance.name,
      source: "\(devices) of \(instance.devices) devices; \(whole.source ?? "")")
  }

  /// Foretoken's own kernels give equal answers whatever is speculated. Elsewhere a pass over several rows rounds
  /// otherwise than one over a single row, so that near-ties fall either way.
  mutating func settleEquality(_ stack: EngineStack, compares: Bool) -> Bool {
    let promised = stack.dialect == .foretoken && stack.plugin == nil
    if compares, !promised, request.requiresEqualOutputs == nil {
      note(
        "differing answers are counted and do not fail the benchmark (--require-equal-outputs): \(stack.description) computes several rows of a verification with other rounding than one row in bf16, so that greedy near-ties fall either way"
      )
    }
    return compares && (request.requiresEqualOutputs ?? promised)
  }

  /// Bytes of a sweep's other drafts, which are kept on the same volume.
  func otherDrafts(_ method: DeployedMethod?, _ target: ServedModel) -> Int {
    (request.sweep?.drafts ?? []).filter { $0 != request.draft }.reduce(0) { sum, draft in
      let model = method?.isHead == true ? nil : try? ServedModel(draft, configuration: request.draftConfiguration)
      return sum + (model?.weightBytes ?? headBytes(method, target, nil))
    }
  }

  /// Servers that keep compiled programs of their own.
  func keptVariants(_ method: DeployedMethod?) -> Int {
    if let sweep = request.sweep { return max(1, sweep.drafts.count) * sweep.windows.count + 1 }
    return method != nil && request.withBaseline ? 2 : 1
  }
}
