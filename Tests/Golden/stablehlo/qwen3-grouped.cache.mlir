module @cache attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(

  ) -> (tensor<9x16x2x16xbf16>) {
    %0 = stablehlo.constant dense<0.0> : tensor<bf16>
    %1 = stablehlo.broadcast_in_dim %0, dims = [] : (tensor<bf16>) -> tensor<9x16x2x16xbf16>
    return %1 : tensor<9x16x2x16xbf16>
  }
}
