internal import Decoding
internal import Foundation
internal import Transformer

// What a model's layers and the form of its weights ask of an engine.

extension Preflight {
  /// Refuses layers that an engine does not compute, and quantised checkpoints that it does not load.
  ///
  /// Sources for Trainium and Inferentia: the vllm-neuron features guide (of weights ModelOpt's static FP8, and MXFP4 on
  /// Trainium3), NxD Inference's guide to quantisation (checkpoints that its own tool has written).
  mutating func checkLayers(_ target: ServedModel, _ draft: ServedModel?, _ stack: EngineStack) {
    for (whose, model) in [("target", target), ("draft", draft)] {
      guard let model else { continue }
      switch stack.dialect {
      case .neuronInference, .neuronPlugin:
        if model.recurrence != nil {
          refuse(
            "the \(whose) \(model.name) has recurrent layers (\(model.architecture)), which \(stack.description) is not documented to compute; take --engine vllm-cuda or foretoken"
          )
        }
        guard let method = model.storedMethod else { continue }
        if stack.dialect == .neuronPlugin, method == "mxfp4" {
          note("\(model.name) is computed in bf16 on Trainium2 (MXFP4 is for Trainium3), and the sums say so")
        } else {
          refuse(
            "the \(whose) \(model.name) is quantised by \(method), which \(stack.description) is not documented to load; take the checkpoint in bf16, or --engine vllm-cuda or foretoken"
          )
        }
      case .foretoken:
        guard stack.plugin != nil, let problem = model.problemOnDevices else { continue }
        refuse("the \(whose) \(model.name): \(problem); take --instance-type m7i.4xlarge, for example")
      case .cuda: break
      }
    }
  }

  /// What cores cannot share evenly, beside attention's heads.
  mutating func checkShares(_ target: ServedModel, _ draft: ServedModel?, _ parallel: Int, _ stack: EngineStack) {
    for model in [target, draft].compactMap(\.self) {
      if let problem = problem(sharing: model, among: parallel, stack) { refuse(problem) }
    }
  }

  /// Why `parallel` cores cannot share a model's experts or recurrent layers; `nil` where they can.
  func problem(sharing model: ServedModel, among parallel: Int, _ stack: EngineStack) -> String? {
    guard parallel > 1, stack.dialect != .foretoken else { return nil }
    if let heads = model.recurrence?.heads, heads % parallel != 0 {
      return
        "--tensor-parallel-size is \(parallel), and \(model.name) has \(heads) heads of keys in its recurrent layers; take a number that divides them"
    }
    guard let width = model.expertWidth, !request.extras.arguments.contains("--enable-expert-parallel") else {
      return nil
    }
    guard width % parallel != 0 else { return nil }
    return
      "--tensor-parallel-size is \(parallel), and experts of \(model.name) have \(width) channels; take a number that divides them, or --engine-arg=--enable-expert-parallel"
  }

  /// The layer that a target carries for predicting the token after the next.
  ///
  /// vLLM's documentation has it as {"method": "mtp"}; that of Neuron's plugin has EAGLE-3 and DFlash alone.
  mutating func checkCarriedHead(_ method: SpeculationMethod?, _ target: ServedModel, _ stack: EngineStack) {
    let stated = target.carriedHeads
    guard method?.need == .carriedHead else {
      if method == nil, let stated, stated > 0, stack.methods.contains(.mtp) {
        note("\(target.name) carries an MTP layer: --method mtp speculates with it, and needs no draft")
      }
      return
    }
    switch stated {
    case nil:
      note(
        "config.json of \(target.name) does not say whether the checkpoint carries an MTP layer (mtp_num_hidden_layers, num_nextn_predict_layers); without one the server does not start"
      )
    case 0:
      refuse(
        "--method mtp needs an MTP layer, of which \(target.name) carries none by its config.json; give --draft ORG/NAME, or take --method ngram"
      )
    case let count? where count > 1 && stack.dialect == .foretoken:
      refuse("\(target.name) carries \(count) MTP layers; Foretoken runs one: take another method")
    default: break
    }
  }

  /// What experts make of a pass, and of a verification, whose rows go through more of them.
  mutating func weighExperts(_ target: ServedModel, _ stack: EngineStack, sequences: Int, window: Int?) {
    guard let experts = target.experts else { return }
    let weights = target.weights(as: stack.weightForm)
    func distinct(_ rows: Int) -> Double { experts.experts(rows: Double(rows)) / Double(experts.layers) }
    func read(_ rows: Int) -> Double { weights.read(experts: distinct(rows) / Double(experts.count)) }
    func gigabytes(_ rows: Int) -> String { decimal(read(rows) / 1e9) + " GB" }
    var text = """
      \(experts.chosen) of \(experts.count) in each of \(experts.layers) layers: a token goes through \
      \(billions(target.activeParameters)) of \(billions(target.parameters)) weights and reads \(gigabytes(1))
      """
    if sequences > 1 { text += "; \(sequences) sequences read \(gigabytes(sequences)) a pass" }
    guard let window, window > 0 else { return line("experts", text) }
    let rows = sequences * (window + 1)
    let cost = read(rows) / read(sequences)
    text += """
      ; a verification of \(sequences) × \(window + 1) rows goes through about \(decimal(distinct(rows))) a layer and reads \
      \(gigabytes(rows)), \(decimal(cost)) plain passes: at best it gains \(decimal(Double(window + 1) / cost))x, where every \
      row chooses by itself
      """
    line("experts", text)
  }

  private func decimal(_ number: Double) -> String { String(format: "%.1f", number) }
}
