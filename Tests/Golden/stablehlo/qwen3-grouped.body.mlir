module @body attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(
      %model.embed_tokens.weight: tensor<193x64xbf16>,
      %rotary.cosines: tensor<64x8xf32>,
      %rotary.sines: tensor<64x8xf32>,
      %model.layers.0.input_layernorm.weight: tensor<64xf32>,
      %model.layers.0.self_attn.q_proj.weight: tensor<64x64xbf16>,
      %model.layers.0.self_attn.k_proj.weight: tensor<32x64xbf16>,
      %model.layers.0.self_attn.v_proj.weight: tensor<32x64xbf16>,
      %model.layers.0.self_attn.q_norm.weight: tensor<16xf32>,
      %model.layers.0.self_attn.k_norm.weight: tensor<16xf32>,
      %model.layers.0.self_attn.o_proj.weight: tensor<64x64xbf16>,
      %model.layers.0.post_attention_layernorm.weight: tensor<64xf32>,
      %model.layers.0.mlp.gate_proj.weight: tensor<96x64xbf16>,
      %model.layers.0.mlp.up_proj.weight: tensor<96x64xbf16>,
      %model.layers.0.mlp.down_proj.weight: tensor<64x96xbf16>,
      %model.layers.1.input_layernorm.weight: tensor<64xf32>,
      %model.layers.1.self_attn.q_proj.weight: tensor<64x64xbf16>,
      %model.layers.1.self_attn.k_proj.weight: tensor<32x64xbf16>,
      %model.layers.1.self_attn.v_proj.weight: tensor<32x64xbf16>,
      %model.layers.1.self_attn.q_norm.weight: tensor<16xf32>,
      %model.layers.1.self_attn.k_norm.weight: tensor<16xf32>,
      %model.layers.1.self_attn.o_proj.weight: tensor<64x64xbf16>,
      %model.layers.1.post_attention_layernorm.weight: tensor<64xf32>,
      %model.layers.1.mlp.gate_proj.weight: tensor<96x64xbf16>,
      %model.layers.1.mlp.up_proj.weight: tensor<96x64xbf16>,
      %model.layers.1.mlp.down_proj.weight: tensor<64x96xbf16>,
      %cache.0.keys: tensor<9x16x2x16xbf16> {tf.aliasing_output = 0 : i32},
      %cache.0.values: tensor<9x16x2x16xbf16> {tf.aliasing_output = 1 : i32},
      %cache.1.keys: tensor<9x16x2x16xbf16> {tf.aliasing_output = 2 : i32},
      %cache.1.values: tensor<9x16x2x16xbf16> {tf.aliasing_output = 3 : i32},
      %tokens: tensor<8xi32>,
      %positions: tensor<8xi32>,
      %slots: tensor<8xi32>,
      %tables: tensor<2x4xi32>
  ) -> (tensor<9x16x2x16xbf16>, tensor<9x16x2x16xbf16>, tensor<9x16x2x16xbf16>, tensor<9x16x2x16xbf16>, tensor<8x64xf32>) {
    %0 = stablehlo.reshape %positions : (tensor<8xi32>) -> tensor<8x1xi32>
    %1 = "stablehlo.gather"(%rotary.cosines, %0) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 8>}> : (tensor<64x8xf32>, tensor<8x1xi32>) -> tensor<8x8xf32>
    %2 = stablehlo.reshape %positions : (tensor<8xi32>) -> tensor<8x1xi32>
    %3 = "stablehlo.gather"(%rotary.sines, %2) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 8>}> : (tensor<64x8xf32>, tensor<8x1xi32>) -> tensor<8x8xf32>
    %4 = stablehlo.reshape %positions : (tensor<8xi32>) -> tensor<2x4xi32>
    %5 = stablehlo.reshape %tokens : (tensor<8xi32>) -> tensor<8x1xi32>
    %6 = "stablehlo.gather"(%model.embed_tokens.weight, %5) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 64>}> : (tensor<193x64xbf16>, tensor<8x1xi32>) -> tensor<8x64xbf16>
    %7 = stablehlo.convert %6 : (tensor<8x64xbf16>) -> tensor<8x64xf32>
    // layer 0
    %8 = stablehlo.multiply %7, %7 : tensor<8x64xf32>
    %9 = stablehlo.constant dense<0.0> : tensor<f32>
    %10 = stablehlo.reduce(%8 init: %9) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %11 = stablehlo.constant dense<64.0> : tensor<8xf32>
    %12 = stablehlo.divide %10, %11 : tensor<8xf32>
    %13 = stablehlo.constant dense<0x358637BD> : tensor<8xf32>
    %14 = stablehlo.add %12, %13 : tensor<8xf32>
    %15 = stablehlo.rsqrt %14 : tensor<8xf32>
    %16 = stablehlo.broadcast_in_dim %15, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %17 = stablehlo.broadcast_in_dim %model.layers.0.input_layernorm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %18 = stablehlo.multiply %7, %16 : tensor<8x64xf32>
    %19 = stablehlo.multiply %18, %17 : tensor<8x64xf32>
    %20 = stablehlo.convert %19 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %21 = stablehlo.dot_general %20, %model.layers.0.self_attn.q_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<64x64xbf16>) -> tensor<8x64xf32>
    %22 = stablehlo.convert %19 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %23 = stablehlo.dot_general %22, %model.layers.0.self_attn.k_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<32x64xbf16>) -> tensor<8x32xf32>
    %24 = stablehlo.convert %19 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %25 = stablehlo.dot_general %24, %model.layers.0.self_attn.v_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<32x64xbf16>) -> tensor<8x32xf32>
    %26 = stablehlo.reshape %21 : (tensor<8x64xf32>) -> tensor<8x4x16xf32>
    %27 = stablehlo.reshape %23 : (tensor<8x32xf32>) -> tensor<8x2x16xf32>
    %28 = stablehlo.reshape %25 : (tensor<8x32xf32>) -> tensor<8x2x16xf32>
    %29 = stablehlo.multiply %26, %26 : tensor<8x4x16xf32>
    %30 = stablehlo.reduce(%29 init: %9) applies stablehlo.add across dimensions = [2] : (tensor<8x4x16xf32>, tensor<f32>) -> tensor<8x4xf32>
    %31 = stablehlo.constant dense<16.0> : tensor<8x4xf32>
    %32 = stablehlo.divide %30, %31 : tensor<8x4xf32>
    %33 = stablehlo.constant dense<0x358637BD> : tensor<8x4xf32>
    %34 = stablehlo.add %32, %33 : tensor<8x4xf32>
    %35 = stablehlo.rsqrt %34 : tensor<8x4xf32>
    %36 = stablehlo.broadcast_in_dim %35, dims = [0, 1] : (tensor<8x4xf32>) -> tensor<8x4x16xf32>
    %37 = stablehlo.broadcast_in_dim %model.layers.0.self_attn.q_norm.weight, dims = [2] : (tensor<16xf32>) -> tensor<8x4x16xf32>
    %38 = stablehlo.multiply %26, %36 : tensor<8x4x16xf32>
    %39 = stablehlo.multiply %38, %37 : tensor<8x4x16xf32>
    %40 = stablehlo.multiply %27, %27 : tensor<8x2x16xf32>
    %41 = stablehlo.reduce(%40 init: %9) applies stablehlo.add across dimensions = [2] : (tensor<8x2x16xf32>, tensor<f32>) -> tensor<8x2xf32>
    %42 = stablehlo.constant dense<16.0> : tensor<8x2xf32>
    %43 = stablehlo.divide %41, %42 : tensor<8x2xf32>
    %44 = stablehlo.constant dense<0x358637BD> : tensor<8x2xf32>
    %45 = stablehlo.add %43, %44 : tensor<8x2xf32>
    %46 = stablehlo.rsqrt %45 : tensor<8x2xf32>
    %47 = stablehlo.broadcast_in_dim %46, dims = [0, 1] : (tensor<8x2xf32>) -> tensor<8x2x16xf32>
    %48 = stablehlo.broadcast_in_dim %model.layers.0.self_attn.k_norm.weight, dims = [2] : (tensor<16xf32>) -> tensor<8x2x16xf32>
    %49 = stablehlo.multiply %27, %47 : tensor<8x2x16xf32>
    %50 = stablehlo.multiply %49, %48 : tensor<8x2x16xf32>
    %51 = stablehlo.slice %39 [0:8, 0:4, 0:8] : (tensor<8x4x16xf32>) -> tensor<8x4x8xf32>
    %52 = stablehlo.slice %39 [0:8, 0:4, 8:16] : (tensor<8x4x16xf32>) -> tensor<8x4x8xf32>
    %53 = stablehlo.broadcast_in_dim %1, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x4x8xf32>
    %54 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x4x8xf32>
    %55 = stablehlo.multiply %51, %53 : tensor<8x4x8xf32>
    %56 = stablehlo.multiply %52, %54 : tensor<8x4x8xf32>
    %57 = stablehlo.subtract %55, %56 : tensor<8x4x8xf32>
    %58 = stablehlo.multiply %52, %53 : tensor<8x4x8xf32>
    %59 = stablehlo.multiply %51, %54 : tensor<8x4x8xf32>
    %60 = stablehlo.add %58, %59 : tensor<8x4x8xf32>
    %61 = stablehlo.concatenate %57, %60, dim = 2 : (tensor<8x4x8xf32>, tensor<8x4x8xf32>) -> tensor<8x4x16xf32>
    %62 = stablehlo.slice %50 [0:8, 0:2, 0:8] : (tensor<8x2x16xf32>) -> tensor<8x2x8xf32>
    %63 = stablehlo.slice %50 [0:8, 0:2, 8:16] : (tensor<8x2x16xf32>) -> tensor<8x2x8xf32>
    %64 = stablehlo.broadcast_in_dim %1, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x2x8xf32>
    %65 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x2x8xf32>
    %66 = stablehlo.multiply %62, %64 : tensor<8x2x8xf32>
    %67 = stablehlo.multiply %63, %65 : tensor<8x2x8xf32>
    %68 = stablehlo.subtract %66, %67 : tensor<8x2x8xf32>
    %69 = stablehlo.multiply %63, %64 : tensor<8x2x8xf32>
    %70 = stablehlo.multiply %62, %65 : tensor<8x2x8xf32>
    %71 = stablehlo.add %69, %70 : tensor<8x2x8xf32>
    %72 = stablehlo.concatenate %68, %71, dim = 2 : (tensor<8x2x8xf32>, tensor<8x2x8xf32>) -> tensor<8x2x16xf32>
    %73 = stablehlo.reshape %cache.0.keys : (tensor<9x16x2x16xbf16>) -> tensor<144x2x16xbf16>
    %74 = stablehlo.convert %72 : (tensor<8x2x16xf32>) -> tensor<8x2x16xbf16>
    %75 = stablehlo.reshape %slots : (tensor<8xi32>) -> tensor<8x1xi32>
    %76 = "stablehlo.scatter"(%73, %75, %74) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%old: tensor<bf16>, %new: tensor<bf16>):
        stablehlo.return %new : tensor<bf16>
    }) : (tensor<144x2x16xbf16>, tensor<8x1xi32>, tensor<8x2x16xbf16>) -> tensor<144x2x16xbf16>
    %77 = stablehlo.reshape %76 : (tensor<144x2x16xbf16>) -> tensor<9x16x2x16xbf16>
    %78 = stablehlo.reshape %cache.0.values : (tensor<9x16x2x16xbf16>) -> tensor<144x2x16xbf16>
    %79 = stablehlo.convert %28 : (tensor<8x2x16xf32>) -> tensor<8x2x16xbf16>
    %80 = stablehlo.reshape %slots : (tensor<8xi32>) -> tensor<8x1xi32>
    %81 = "stablehlo.scatter"(%78, %80, %79) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%old: tensor<bf16>, %new: tensor<bf16>):
        stablehlo.return %new : tensor<bf16>
    }) : (tensor<144x2x16xbf16>, tensor<8x1xi32>, tensor<8x2x16xbf16>) -> tensor<144x2x16xbf16>
    %82 = stablehlo.reshape %81 : (tensor<144x2x16xbf16>) -> tensor<9x16x2x16xbf16>
    %83 = stablehlo.reshape %tables : (tensor<2x4xi32>) -> tensor<2x4x1xi32>
    %84 = "stablehlo.gather"(%77, %83) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3, 4], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16, 2, 16>}> : (tensor<9x16x2x16xbf16>, tensor<2x4x1xi32>) -> tensor<2x4x16x2x16xbf16>
    %85 = stablehlo.reshape %84 : (tensor<2x4x16x2x16xbf16>) -> tensor<2x64x2x16xbf16>
    %86 = stablehlo.reshape %tables : (tensor<2x4xi32>) -> tensor<2x4x1xi32>
    %87 = "stablehlo.gather"(%82, %86) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3, 4], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16, 2, 16>}> : (tensor<9x16x2x16xbf16>, tensor<2x4x1xi32>) -> tensor<2x4x16x2x16xbf16>
    %88 = stablehlo.reshape %87 : (tensor<2x4x16x2x16xbf16>) -> tensor<2x64x2x16xbf16>
    %89 = stablehlo.constant dense<0x3E800000> : tensor<8x4x16xf32>
    %90 = stablehlo.multiply %61, %89 : tensor<8x4x16xf32>
    %91 = stablehlo.convert %90 : (tensor<8x4x16xf32>) -> tensor<8x4x16xbf16>
    %92 = stablehlo.reshape %91 : (tensor<8x4x16xbf16>) -> tensor<2x4x2x2x16xbf16>
    %93 = stablehlo.dot_general %92, %85, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3] : (tensor<2x4x2x2x16xbf16>, tensor<2x64x2x16xbf16>) -> tensor<2x2x4x2x64xf32>
    %94 = stablehlo.iota dim = 4 : tensor<2x2x4x2x64xi32>
    %95 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x4xi32>) -> tensor<2x2x4x2x64xi32>
    %96 = stablehlo.compare LE, %94, %95 : (tensor<2x2x4x2x64xi32>, tensor<2x2x4x2x64xi32>) -> tensor<2x2x4x2x64xi1>
    %97 = stablehlo.constant dense<0xF149F2CA> : tensor<2x2x4x2x64xf32>
    %98 = stablehlo.select %96, %93, %97 : tensor<2x2x4x2x64xi1>, tensor<2x2x4x2x64xf32>
    %99 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %100 = stablehlo.reduce(%98 init: %99) applies stablehlo.maximum across dimensions = [4] : (tensor<2x2x4x2x64xf32>, tensor<f32>) -> tensor<2x2x4x2xf32>
    %101 = stablehlo.broadcast_in_dim %100, dims = [0, 1, 2, 3] : (tensor<2x2x4x2xf32>) -> tensor<2x2x4x2x64xf32>
    %102 = stablehlo.subtract %98, %101 : tensor<2x2x4x2x64xf32>
    %103 = stablehlo.exponential %102 : tensor<2x2x4x2x64xf32>
    %104 = stablehlo.reduce(%103 init: %9) applies stablehlo.add across dimensions = [4] : (tensor<2x2x4x2x64xf32>, tensor<f32>) -> tensor<2x2x4x2xf32>
    %105 = stablehlo.broadcast_in_dim %104, dims = [0, 1, 2, 3] : (tensor<2x2x4x2xf32>) -> tensor<2x2x4x2x64xf32>
    %106 = stablehlo.divide %103, %105 : tensor<2x2x4x2x64xf32>
    %107 = stablehlo.convert %106 : (tensor<2x2x4x2x64xf32>) -> tensor<2x2x4x2x64xbf16>
    %108 = stablehlo.dot_general %107, %88, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1] : (tensor<2x2x4x2x64xbf16>, tensor<2x64x2x16xbf16>) -> tensor<2x2x4x2x16xf32>
    %109 = stablehlo.transpose %108, dims = [0, 2, 1, 3, 4] : (tensor<2x2x4x2x16xf32>) -> tensor<2x4x2x2x16xf32>
    %110 = stablehlo.reshape %109 : (tensor<2x4x2x2x16xf32>) -> tensor<8x64xf32>
    %111 = stablehlo.convert %110 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %112 = stablehlo.dot_general %111, %model.layers.0.self_attn.o_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<64x64xbf16>) -> tensor<8x64xf32>
    %113 = stablehlo.add %7, %112 : tensor<8x64xf32>
    %114 = stablehlo.multiply %113, %113 : tensor<8x64xf32>
    %115 = stablehlo.reduce(%114 init: %9) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %116 = stablehlo.divide %115, %11 : tensor<8xf32>
    %117 = stablehlo.add %116, %13 : tensor<8xf32>
    %118 = stablehlo.rsqrt %117 : tensor<8xf32>
    %119 = stablehlo.broadcast_in_dim %118, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %120 = stablehlo.broadcast_in_dim %model.layers.0.post_attention_layernorm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %121 = stablehlo.multiply %113, %119 : tensor<8x64xf32>
    %122 = stablehlo.multiply %121, %120 : tensor<8x64xf32>
    %123 = stablehlo.convert %122 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %124 = stablehlo.dot_general %123, %model.layers.0.mlp.gate_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<96x64xbf16>) -> tensor<8x96xf32>
    %125 = stablehlo.convert %122 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %126 = stablehlo.dot_general %125, %model.layers.0.mlp.up_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<96x64xbf16>) -> tensor<8x96xf32>
    %127 = stablehlo.logistic %124 : tensor<8x96xf32>
    %128 = stablehlo.multiply %124, %127 : tensor<8x96xf32>
    %129 = stablehlo.multiply %128, %126 : tensor<8x96xf32>
    %130 = stablehlo.convert %129 : (tensor<8x96xf32>) -> tensor<8x96xbf16>
    %131 = stablehlo.dot_general %130, %model.layers.0.mlp.down_proj.weight, contracting_dims = [1] x [1] : (tensor<8x96xbf16>, tensor<64x96xbf16>) -> tensor<8x64xf32>
    %132 = stablehlo.add %113, %131 : tensor<8x64xf32>
    // layer 1
    %133 = stablehlo.multiply %132, %132 : tensor<8x64xf32>
    %134 = stablehlo.reduce(%133 init: %9) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %135 = stablehlo.divide %134, %11 : tensor<8xf32>
    %136 = stablehlo.add %135, %13 : tensor<8xf32>
    %137 = stablehlo.rsqrt %136 : tensor<8xf32>
    %138 = stablehlo.broadcast_in_dim %137, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %139 = stablehlo.broadcast_in_dim %model.layers.1.input_layernorm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %140 = stablehlo.multiply %132, %138 : tensor<8x64xf32>
    %141 = stablehlo.multiply %140, %139 : tensor<8x64xf32>
    %142 = stablehlo.convert %141 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %143 = stablehlo.dot_general %142, %model.layers.1.self_attn.q_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<64x64xbf16>) -> tensor<8x64xf32>
    %144 = stablehlo.convert %141 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %145 = stablehlo.dot_general %144, %model.layers.1.self_attn.k_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<32x64xbf16>) -> tensor<8x32xf32>
    %146 = stablehlo.convert %141 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %147 = stablehlo.dot_general %146, %model.layers.1.self_attn.v_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<32x64xbf16>) -> tensor<8x32xf32>
    %148 = stablehlo.reshape %143 : (tensor<8x64xf32>) -> tensor<8x4x16xf32>
    %149 = stablehlo.reshape %145 : (tensor<8x32xf32>) -> tensor<8x2x16xf32>
    %150 = stablehlo.reshape %147 : (tensor<8x32xf32>) -> tensor<8x2x16xf32>
    %151 = stablehlo.multiply %148, %148 : tensor<8x4x16xf32>
    %152 = stablehlo.reduce(%151 init: %9) applies stablehlo.add across dimensions = [2] : (tensor<8x4x16xf32>, tensor<f32>) -> tensor<8x4xf32>
    %153 = stablehlo.divide %152, %31 : tensor<8x4xf32>
    %154 = stablehlo.add %153, %33 : tensor<8x4xf32>
    %155 = stablehlo.rsqrt %154 : tensor<8x4xf32>
    %156 = stablehlo.broadcast_in_dim %155, dims = [0, 1] : (tensor<8x4xf32>) -> tensor<8x4x16xf32>
    %157 = stablehlo.broadcast_in_dim %model.layers.1.self_attn.q_norm.weight, dims = [2] : (tensor<16xf32>) -> tensor<8x4x16xf32>
    %158 = stablehlo.multiply %148, %156 : tensor<8x4x16xf32>
    %159 = stablehlo.multiply %158, %157 : tensor<8x4x16xf32>
    %160 = stablehlo.multiply %149, %149 : tensor<8x2x16xf32>
    %161 = stablehlo.reduce(%160 init: %9) applies stablehlo.add across dimensions = [2] : (tensor<8x2x16xf32>, tensor<f32>) -> tensor<8x2xf32>
    %162 = stablehlo.divide %161, %42 : tensor<8x2xf32>
    %163 = stablehlo.add %162, %44 : tensor<8x2xf32>
    %164 = stablehlo.rsqrt %163 : tensor<8x2xf32>
    %165 = stablehlo.broadcast_in_dim %164, dims = [0, 1] : (tensor<8x2xf32>) -> tensor<8x2x16xf32>
    %166 = stablehlo.broadcast_in_dim %model.layers.1.self_attn.k_norm.weight, dims = [2] : (tensor<16xf32>) -> tensor<8x2x16xf32>
    %167 = stablehlo.multiply %149, %165 : tensor<8x2x16xf32>
    %168 = stablehlo.multiply %167, %166 : tensor<8x2x16xf32>
    %169 = stablehlo.slice %159 [0:8, 0:4, 0:8] : (tensor<8x4x16xf32>) -> tensor<8x4x8xf32>
    %170 = stablehlo.slice %159 [0:8, 0:4, 8:16] : (tensor<8x4x16xf32>) -> tensor<8x4x8xf32>
    %171 = stablehlo.broadcast_in_dim %1, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x4x8xf32>
    %172 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x4x8xf32>
    %173 = stablehlo.multiply %169, %171 : tensor<8x4x8xf32>
    %174 = stablehlo.multiply %170, %172 : tensor<8x4x8xf32>
    %175 = stablehlo.subtract %173, %174 : tensor<8x4x8xf32>
    %176 = stablehlo.multiply %170, %171 : tensor<8x4x8xf32>
    %177 = stablehlo.multiply %169, %172 : tensor<8x4x8xf32>
    %178 = stablehlo.add %176, %177 : tensor<8x4x8xf32>
    %179 = stablehlo.concatenate %175, %178, dim = 2 : (tensor<8x4x8xf32>, tensor<8x4x8xf32>) -> tensor<8x4x16xf32>
    %180 = stablehlo.slice %168 [0:8, 0:2, 0:8] : (tensor<8x2x16xf32>) -> tensor<8x2x8xf32>
    %181 = stablehlo.slice %168 [0:8, 0:2, 8:16] : (tensor<8x2x16xf32>) -> tensor<8x2x8xf32>
    %182 = stablehlo.broadcast_in_dim %1, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x2x8xf32>
    %183 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x2x8xf32>
    %184 = stablehlo.multiply %180, %182 : tensor<8x2x8xf32>
    %185 = stablehlo.multiply %181, %183 : tensor<8x2x8xf32>
    %186 = stablehlo.subtract %184, %185 : tensor<8x2x8xf32>
    %187 = stablehlo.multiply %181, %182 : tensor<8x2x8xf32>
    %188 = stablehlo.multiply %180, %183 : tensor<8x2x8xf32>
    %189 = stablehlo.add %187, %188 : tensor<8x2x8xf32>
    %190 = stablehlo.concatenate %186, %189, dim = 2 : (tensor<8x2x8xf32>, tensor<8x2x8xf32>) -> tensor<8x2x16xf32>
    %191 = stablehlo.reshape %cache.1.keys : (tensor<9x16x2x16xbf16>) -> tensor<144x2x16xbf16>
    %192 = stablehlo.convert %190 : (tensor<8x2x16xf32>) -> tensor<8x2x16xbf16>
    %193 = stablehlo.reshape %slots : (tensor<8xi32>) -> tensor<8x1xi32>
    %194 = "stablehlo.scatter"(%191, %193, %192) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%old: tensor<bf16>, %new: tensor<bf16>):
        stablehlo.return %new : tensor<bf16>
    }) : (tensor<144x2x16xbf16>, tensor<8x1xi32>, tensor<8x2x16xbf16>) -> tensor<144x2x16xbf16>
    %195 = stablehlo.reshape %194 : (tensor<144x2x16xbf16>) -> tensor<9x16x2x16xbf16>
    %196 = stablehlo.reshape %cache.1.values : (tensor<9x16x2x16xbf16>) -> tensor<144x2x16xbf16>
    %197 = stablehlo.convert %150 : (tensor<8x2x16xf32>) -> tensor<8x2x16xbf16>
    %198 = stablehlo.reshape %slots : (tensor<8xi32>) -> tensor<8x1xi32>
    %199 = "stablehlo.scatter"(%196, %198, %197) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%old: tensor<bf16>, %new: tensor<bf16>):
        stablehlo.return %new : tensor<bf16>
    }) : (tensor<144x2x16xbf16>, tensor<8x1xi32>, tensor<8x2x16xbf16>) -> tensor<144x2x16xbf16>
    %200 = stablehlo.reshape %199 : (tensor<144x2x16xbf16>) -> tensor<9x16x2x16xbf16>
    %201 = stablehlo.reshape %tables : (tensor<2x4xi32>) -> tensor<2x4x1xi32>
    %202 = "stablehlo.gather"(%195, %201) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3, 4], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16, 2, 16>}> : (tensor<9x16x2x16xbf16>, tensor<2x4x1xi32>) -> tensor<2x4x16x2x16xbf16>
    %203 = stablehlo.reshape %202 : (tensor<2x4x16x2x16xbf16>) -> tensor<2x64x2x16xbf16>
    %204 = stablehlo.reshape %tables : (tensor<2x4xi32>) -> tensor<2x4x1xi32>
    %205 = "stablehlo.gather"(%200, %204) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3, 4], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16, 2, 16>}> : (tensor<9x16x2x16xbf16>, tensor<2x4x1xi32>) -> tensor<2x4x16x2x16xbf16>
    %206 = stablehlo.reshape %205 : (tensor<2x4x16x2x16xbf16>) -> tensor<2x64x2x16xbf16>
    %207 = stablehlo.multiply %179, %89 : tensor<8x4x16xf32>
    %208 = stablehlo.convert %207 : (tensor<8x4x16xf32>) -> tensor<8x4x16xbf16>
    %209 = stablehlo.reshape %208 : (tensor<8x4x16xbf16>) -> tensor<2x4x2x2x16xbf16>
    %210 = stablehlo.dot_general %209, %203, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3] : (tensor<2x4x2x2x16xbf16>, tensor<2x64x2x16xbf16>) -> tensor<2x2x4x2x64xf32>
    %211 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x4xi32>) -> tensor<2x2x4x2x64xi32>
    %212 = stablehlo.compare LE, %94, %211 : (tensor<2x2x4x2x64xi32>, tensor<2x2x4x2x64xi32>) -> tensor<2x2x4x2x64xi1>
    %213 = stablehlo.select %212, %210, %97 : tensor<2x2x4x2x64xi1>, tensor<2x2x4x2x64xf32>
    %214 = stablehlo.reduce(%213 init: %99) applies stablehlo.maximum across dimensions = [4] : (tensor<2x2x4x2x64xf32>, tensor<f32>) -> tensor<2x2x4x2xf32>
    %215 = stablehlo.broadcast_in_dim %214, dims = [0, 1, 2, 3] : (tensor<2x2x4x2xf32>) -> tensor<2x2x4x2x64xf32>
    %216 = stablehlo.subtract %213, %215 : tensor<2x2x4x2x64xf32>
    %217 = stablehlo.exponential %216 : tensor<2x2x4x2x64xf32>
    %218 = stablehlo.reduce(%217 init: %9) applies stablehlo.add across dimensions = [4] : (tensor<2x2x4x2x64xf32>, tensor<f32>) -> tensor<2x2x4x2xf32>
    %219 = stablehlo.broadcast_in_dim %218, dims = [0, 1, 2, 3] : (tensor<2x2x4x2xf32>) -> tensor<2x2x4x2x64xf32>
    %220 = stablehlo.divide %217, %219 : tensor<2x2x4x2x64xf32>
    %221 = stablehlo.convert %220 : (tensor<2x2x4x2x64xf32>) -> tensor<2x2x4x2x64xbf16>
    %222 = stablehlo.dot_general %221, %206, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1] : (tensor<2x2x4x2x64xbf16>, tensor<2x64x2x16xbf16>) -> tensor<2x2x4x2x16xf32>
    %223 = stablehlo.transpose %222, dims = [0, 2, 1, 3, 4] : (tensor<2x2x4x2x16xf32>) -> tensor<2x4x2x2x16xf32>
    %224 = stablehlo.reshape %223 : (tensor<2x4x2x2x16xf32>) -> tensor<8x64xf32>
    %225 = stablehlo.convert %224 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %226 = stablehlo.dot_general %225, %model.layers.1.self_attn.o_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<64x64xbf16>) -> tensor<8x64xf32>
    %227 = stablehlo.add %132, %226 : tensor<8x64xf32>
    %228 = stablehlo.multiply %227, %227 : tensor<8x64xf32>
    %229 = stablehlo.reduce(%228 init: %9) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %230 = stablehlo.divide %229, %11 : tensor<8xf32>
    %231 = stablehlo.add %230, %13 : tensor<8xf32>
    %232 = stablehlo.rsqrt %231 : tensor<8xf32>
    %233 = stablehlo.broadcast_in_dim %232, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %234 = stablehlo.broadcast_in_dim %model.layers.1.post_attention_layernorm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %235 = stablehlo.multiply %227, %233 : tensor<8x64xf32>
    %236 = stablehlo.multiply %235, %234 : tensor<8x64xf32>
    %237 = stablehlo.convert %236 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %238 = stablehlo.dot_general %237, %model.layers.1.mlp.gate_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<96x64xbf16>) -> tensor<8x96xf32>
    %239 = stablehlo.convert %236 : (tensor<8x64xf32>) -> tensor<8x64xbf16>
    %240 = stablehlo.dot_general %239, %model.layers.1.mlp.up_proj.weight, contracting_dims = [1] x [1] : (tensor<8x64xbf16>, tensor<96x64xbf16>) -> tensor<8x96xf32>
    %241 = stablehlo.logistic %238 : tensor<8x96xf32>
    %242 = stablehlo.multiply %238, %241 : tensor<8x96xf32>
    %243 = stablehlo.multiply %242, %240 : tensor<8x96xf32>
    %244 = stablehlo.convert %243 : (tensor<8x96xf32>) -> tensor<8x96xbf16>
    %245 = stablehlo.dot_general %244, %model.layers.1.mlp.down_proj.weight, contracting_dims = [1] x [1] : (tensor<8x96xbf16>, tensor<64x96xbf16>) -> tensor<8x64xf32>
    %246 = stablehlo.add %227, %245 : tensor<8x64xf32>
    return %77, %82, %195, %200, %246 : tensor<9x16x2x16xbf16>, tensor<9x16x2x16xbf16>, tensor<9x16x2x16xbf16>, tensor<9x16x2x16xbf16>, tensor<8x64xf32>
  }
}
