internal import ArgumentParser
internal import Tensor

/// Formats of the KV cache by the names that `--kv-cache-dtype` takes.
enum KVCacheType: String, ExpressibleByArgument, CaseIterable {
  case auto, float16, int8

  var format: KVCacheFormat { self == .int8 ? .int8 : .float16 }
}
