/// What Hugging Face's checkpoints call the tensors of Qwen3, Qwen2 and Llama files.
///
/// Source: llama.cpp's tensor names (`MODEL_TENSOR` in gguf-py's constants.py).
enum GGUFTensorNames {
  /// Factors by which Llama 3's RoPE frequencies are divided, `[headSize / 2]`; Hugging Face has them in `config.json`.
  static let rotaryFactors = "rope_freqs.weight"

  private static let outer = [
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
  ]
  private static let inner = [
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
  ]

  /// The Hugging Face name of a tensor; `nil` when these architectures have no such tensor.
  static func huggingFaceName(of name: String) -> String? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard let kind = parts.last, kind == "weight" || kind == "bias" else { return nil }
    if parts.count == 2 { return outer[parts[0]].map { "\($0).\(kind)" } }
    guard parts.count == 4, parts[0] == "blk", let layer = Int(parts[1]), "\(layer)" == parts[1] else { return nil }
    return inner[parts[2]].map { "model.layers.\(layer).\($0).\(kind)" }
  }
}
