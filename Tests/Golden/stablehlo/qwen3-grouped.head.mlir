module @head attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(
      %model.norm.weight: tensor<64xf32>,
      %lm_head.weight: tensor<193x64xbf16>,
      %residual: tensor<8x64xf32>
  ) -> (tensor<8x193xf32>) {
    %0 = stablehlo.multiply %residual, %residual : tensor<8x64xf32>
    %1 = stablehlo.constant dense<0.0> : tensor<f32>
    %2 = stablehlo.reduce(%0 init: %1) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %3 = stablehlo.constant dense<64.0> : tensor<8xf32>
    %4 = stablehlo.divide %2, %3 : tensor<8xf32>
    %5 = stablehlo.constant dense<0x358637BD> : tensor<8xf32>
    %6 = stablehlo.add %4, %5 : tensor<8xf32>
    %7 = stablehlo.rsqrt %6 : tensor<8xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %9 = stablehlo.broadcast_in_dim %model.norm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %10 = stablehlo.multiply %residual, %8 : tensor<8x64xf32>
    %11 = stablehlo.multiply %10, %9 : tensor<8x64xf32>
    %12 = stablehlo.convert %11 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %13 = stablehlo.dot_general %12, %lm_head.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<193x64xbf16>) -> tensor<8x193xf32>
    return %13 : tensor<8x193xf32>
  }
}
