module @body attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["model"=2]>
  func.func public @main(
      %model.embed_tokens.weight: tensor<193x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>},
      %rotary.cosines: tensor<64x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>},
      %rotary.sines: tensor<64x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>},
      %model.layers.0.input_layernorm.weight: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %model.layers.0.self_attn.q_proj.weight: tensor<64x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.0.self_attn.q_proj.bias: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.0.self_attn.k_proj.weight: tensor<32x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.0.self_attn.k_proj.bias: tensor<32xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.0.self_attn.v_proj.weight: tensor<32x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.0.self_attn.v_proj.bias: tensor<32xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.0.self_attn.o_proj.weight: tensor<64x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"model"}]>},
      %model.layers.0.self_attn.o_proj.bias: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %model.layers.0.post_attention_layernorm.weight: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %model.layers.0.mlp.gate_proj.weight: tensor<96x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.0.mlp.gate_proj.bias: tensor<96xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.0.mlp.up_proj.weight: tensor<96x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.0.mlp.up_proj.bias: tensor<96xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.0.mlp.down_proj.weight: tensor<64x96xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"model"}]>},
      %model.layers.0.mlp.down_proj.bias: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %model.layers.1.input_layernorm.weight: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %model.layers.1.self_attn.q_proj.weight: tensor<64x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.1.self_attn.q_proj.bias: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.1.self_attn.k_proj.weight: tensor<32x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.1.self_attn.k_proj.bias: tensor<32xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.1.self_attn.v_proj.weight: tensor<32x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.1.self_attn.v_proj.bias: tensor<32xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.1.self_attn.o_proj.weight: tensor<64x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"model"}]>},
      %model.layers.1.self_attn.o_proj.bias: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %model.layers.1.post_attention_layernorm.weight: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %model.layers.1.mlp.gate_proj.weight: tensor<96x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.1.mlp.gate_proj.bias: tensor<96xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.1.mlp.up_proj.weight: tensor<96x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>},
      %model.layers.1.mlp.up_proj.bias: tensor<96xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}]>},
      %model.layers.1.mlp.down_proj.weight: tensor<64x96xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"model"}]>},
      %model.layers.1.mlp.down_proj.bias: tensor<64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %cache.0.keys: tensor<9x16x2x16xf32> {tf.aliasing_output = 0 : i32, sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"model"}, {}]>},
      %cache.0.values: tensor<9x16x2x16xf32> {tf.aliasing_output = 1 : i32, sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"model"}, {}]>},
      %cache.1.keys: tensor<9x16x2x16xf32> {tf.aliasing_output = 2 : i32, sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"model"}, {}]>},
      %cache.1.values: tensor<9x16x2x16xf32> {tf.aliasing_output = 3 : i32, sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"model"}, {}]>},
      %tokens: tensor<8xi32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %positions: tensor<8xi32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %slots: tensor<8xi32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>},
      %tables: tensor<2x4xi32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>}
  ) -> (tensor<9x16x2x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"model"}, {}]>}, tensor<9x16x2x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"model"}, {}]>}, tensor<9x16x2x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"model"}, {}]>}, tensor<9x16x2x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"model"}, {}]>}, tensor<8x64xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}]>}) {
    %0 = stablehlo.reshape %positions : (tensor<8xi32>) -> tensor<8x1xi32>
    %1 = "stablehlo.gather"(%rotary.cosines, %0) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 8>}> : (tensor<64x8xf32>, tensor<8x1xi32>) -> tensor<8x8xf32>
    %2 = stablehlo.reshape %positions : (tensor<8xi32>) -> tensor<8x1xi32>
    %3 = "stablehlo.gather"(%rotary.sines, %2) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 8>}> : (tensor<64x8xf32>, tensor<8x1xi32>) -> tensor<8x8xf32>
    %4 = stablehlo.reshape %positions : (tensor<8xi32>) -> tensor<2x4xi32>
    %5 = stablehlo.reshape %tokens : (tensor<8xi32>) -> tensor<8x1xi32>
    %6 = "stablehlo.gather"(%model.embed_tokens.weight, %5) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 64>}> : (tensor<193x64xf32>, tensor<8x1xi32>) -> tensor<8x64xf32>
    // layer 0
    %7 = stablehlo.multiply %6, %6 : tensor<8x64xf32>
    %8 = stablehlo.constant dense<0.0> : tensor<f32>
    %9 = stablehlo.reduce(%7 init: %8) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %10 = stablehlo.constant dense<64.0> : tensor<8xf32>
    %11 = stablehlo.divide %9, %10 : tensor<8xf32>
    %12 = stablehlo.constant dense<0x358637BD> : tensor<8xf32>
    %13 = stablehlo.add %11, %12 : tensor<8xf32>
    %14 = stablehlo.rsqrt %13 : tensor<8xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %16 = stablehlo.broadcast_in_dim %model.layers.0.input_layernorm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %17 = stablehlo.multiply %6, %15 : tensor<8x64xf32>
    %18 = stablehlo.multiply %17, %16 : tensor<8x64xf32>
    %19 = stablehlo.dot_general %18, %model.layers.0.self_attn.q_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    %20 = stablehlo.broadcast_in_dim %model.layers.0.self_attn.q_proj.bias, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %21 = stablehlo.add %19, %20 : tensor<8x64xf32>
    %22 = stablehlo.dot_general %18, %model.layers.0.self_attn.k_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
    %23 = stablehlo.broadcast_in_dim %model.layers.0.self_attn.k_proj.bias, dims = [1] : (tensor<32xf32>) -> tensor<8x32xf32>
    %24 = stablehlo.add %22, %23 : tensor<8x32xf32>
    %25 = stablehlo.dot_general %18, %model.layers.0.self_attn.v_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
    %26 = stablehlo.broadcast_in_dim %model.layers.0.self_attn.v_proj.bias, dims = [1] : (tensor<32xf32>) -> tensor<8x32xf32>
    %27 = stablehlo.add %25, %26 : tensor<8x32xf32>
    %28 = stablehlo.reshape %21 : (tensor<8x64xf32>) -> tensor<8x4x16xf32>
    %29 = stablehlo.reshape %24 : (tensor<8x32xf32>) -> tensor<8x2x16xf32>
    %30 = stablehlo.reshape %27 : (tensor<8x32xf32>) -> tensor<8x2x16xf32>
    %31 = stablehlo.slice %28 [0:8, 0:4, 0:8] : (tensor<8x4x16xf32>) -> tensor<8x4x8xf32>
    %32 = stablehlo.slice %28 [0:8, 0:4, 8:16] : (tensor<8x4x16xf32>) -> tensor<8x4x8xf32>
    %33 = stablehlo.broadcast_in_dim %1, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x4x8xf32>
    %34 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x4x8xf32>
    %35 = stablehlo.multiply %31, %33 : tensor<8x4x8xf32>
    %36 = stablehlo.multiply %32, %34 : tensor<8x4x8xf32>
    %37 = stablehlo.subtract %35, %36 : tensor<8x4x8xf32>
    %38 = stablehlo.multiply %32, %33 : tensor<8x4x8xf32>
    %39 = stablehlo.multiply %31, %34 : tensor<8x4x8xf32>
    %40 = stablehlo.add %38, %39 : tensor<8x4x8xf32>
    %41 = stablehlo.concatenate %37, %40, dim = 2 : (tensor<8x4x8xf32>, tensor<8x4x8xf32>) -> tensor<8x4x16xf32>
    %42 = stablehlo.slice %29 [0:8, 0:2, 0:8] : (tensor<8x2x16xf32>) -> tensor<8x2x8xf32>
    %43 = stablehlo.slice %29 [0:8, 0:2, 8:16] : (tensor<8x2x16xf32>) -> tensor<8x2x8xf32>
    %44 = stablehlo.broadcast_in_dim %1, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x2x8xf32>
    %45 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x2x8xf32>
    %46 = stablehlo.multiply %42, %44 : tensor<8x2x8xf32>
    %47 = stablehlo.multiply %43, %45 : tensor<8x2x8xf32>
    %48 = stablehlo.subtract %46, %47 : tensor<8x2x8xf32>
    %49 = stablehlo.multiply %43, %44 : tensor<8x2x8xf32>
    %50 = stablehlo.multiply %42, %45 : tensor<8x2x8xf32>
    %51 = stablehlo.add %49, %50 : tensor<8x2x8xf32>
    %52 = stablehlo.concatenate %48, %51, dim = 2 : (tensor<8x2x8xf32>, tensor<8x2x8xf32>) -> tensor<8x2x16xf32>
    %53 = stablehlo.reshape %cache.0.keys : (tensor<9x16x2x16xf32>) -> tensor<144x2x16xf32>
    %54 = stablehlo.reshape %slots : (tensor<8xi32>) -> tensor<8x1xi32>
    %55 = "stablehlo.scatter"(%53, %54, %52) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%old: tensor<f32>, %new: tensor<f32>):
        stablehlo.return %new : tensor<f32>
    }) : (tensor<144x2x16xf32>, tensor<8x1xi32>, tensor<8x2x16xf32>) -> tensor<144x2x16xf32>
    %56 = stablehlo.reshape %55 : (tensor<144x2x16xf32>) -> tensor<9x16x2x16xf32>
    %57 = stablehlo.reshape %cache.0.values : (tensor<9x16x2x16xf32>) -> tensor<144x2x16xf32>
    %58 = stablehlo.reshape %slots : (tensor<8xi32>) -> tensor<8x1xi32>
    %59 = "stablehlo.scatter"(%57, %58, %30) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%old: tensor<f32>, %new: tensor<f32>):
        stablehlo.return %new : tensor<f32>
    }) : (tensor<144x2x16xf32>, tensor<8x1xi32>, tensor<8x2x16xf32>) -> tensor<144x2x16xf32>
    %60 = stablehlo.reshape %59 : (tensor<144x2x16xf32>) -> tensor<9x16x2x16xf32>
    %61 = stablehlo.reshape %tables : (tensor<2x4xi32>) -> tensor<2x4x1xi32>
    %62 = "stablehlo.gather"(%56, %61) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3, 4], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16, 2, 16>}> : (tensor<9x16x2x16xf32>, tensor<2x4x1xi32>) -> tensor<2x4x16x2x16xf32>
    %63 = stablehlo.reshape %62 : (tensor<2x4x16x2x16xf32>) -> tensor<2x64x2x16xf32>
    %64 = stablehlo.reshape %tables : (tensor<2x4xi32>) -> tensor<2x4x1xi32>
    %65 = "stablehlo.gather"(%60, %64) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3, 4], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16, 2, 16>}> : (tensor<9x16x2x16xf32>, tensor<2x4x1xi32>) -> tensor<2x4x16x2x16xf32>
    %66 = stablehlo.reshape %65 : (tensor<2x4x16x2x16xf32>) -> tensor<2x64x2x16xf32>
    %67 = stablehlo.constant dense<0x3E800000> : tensor<8x4x16xf32>
    %68 = stablehlo.multiply %41, %67 : tensor<8x4x16xf32>
    %69 = stablehlo.reshape %68 : (tensor<8x4x16xf32>) -> tensor<2x4x2x2x16xf32>
    %70 = stablehlo.dot_general %69, %63, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3], precision = [HIGHEST, HIGHEST] : (tensor<2x4x2x2x16xf32>, tensor<2x64x2x16xf32>) -> tensor<2x2x4x2x64xf32>
    %71 = stablehlo.iota dim = 4 : tensor<2x2x4x2x64xi32>
    %72 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x4xi32>) -> tensor<2x2x4x2x64xi32>
    %73 = stablehlo.compare LE, %71, %72 : (tensor<2x2x4x2x64xi32>, tensor<2x2x4x2x64xi32>) -> tensor<2x2x4x2x64xi1>
    %74 = stablehlo.constant dense<0xF149F2CA> : tensor<2x2x4x2x64xf32>
    %75 = stablehlo.select %73, %70, %74 : tensor<2x2x4x2x64xi1>, tensor<2x2x4x2x64xf32>
    %76 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %77 = stablehlo.reduce(%75 init: %76) applies stablehlo.maximum across dimensions = [4] : (tensor<2x2x4x2x64xf32>, tensor<f32>) -> tensor<2x2x4x2xf32>
    %78 = stablehlo.broadcast_in_dim %77, dims = [0, 1, 2, 3] : (tensor<2x2x4x2xf32>) -> tensor<2x2x4x2x64xf32>
    %79 = stablehlo.subtract %75, %78 : tensor<2x2x4x2x64xf32>
    %80 = stablehlo.exponential %79 : tensor<2x2x4x2x64xf32>
    %81 = stablehlo.reduce(%80 init: %8) applies stablehlo.add across dimensions = [4] : (tensor<2x2x4x2x64xf32>, tensor<f32>) -> tensor<2x2x4x2xf32>
    %82 = stablehlo.broadcast_in_dim %81, dims = [0, 1, 2, 3] : (tensor<2x2x4x2xf32>) -> tensor<2x2x4x2x64xf32>
    %83 = stablehlo.divide %80, %82 : tensor<2x2x4x2x64xf32>
    %84 = stablehlo.dot_general %83, %66, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x2x4x2x64xf32>, tensor<2x64x2x16xf32>) -> tensor<2x2x4x2x16xf32>
    %85 = stablehlo.transpose %84, dims = [0, 2, 1, 3, 4] : (tensor<2x2x4x2x16xf32>) -> tensor<2x4x2x2x16xf32>
    %86 = stablehlo.reshape %85 : (tensor<2x4x2x2x16xf32>) -> tensor<8x64xf32>
    %87 = stablehlo.dot_general %86, %model.layers.0.self_attn.o_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    %88 = stablehlo.broadcast_in_dim %model.layers.0.self_attn.o_proj.bias, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %89 = stablehlo.add %87, %88 : tensor<8x64xf32>
    %90 = stablehlo.add %6, %89 : tensor<8x64xf32>
    %91 = stablehlo.multiply %90, %90 : tensor<8x64xf32>
    %92 = stablehlo.reduce(%91 init: %8) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %93 = stablehlo.divide %92, %10 : tensor<8xf32>
    %94 = stablehlo.add %93, %12 : tensor<8xf32>
    %95 = stablehlo.rsqrt %94 : tensor<8xf32>
    %96 = stablehlo.broadcast_in_dim %95, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %97 = stablehlo.broadcast_in_dim %model.layers.0.post_attention_layernorm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %98 = stablehlo.multiply %90, %96 : tensor<8x64xf32>
    %99 = stablehlo.multiply %98, %97 : tensor<8x64xf32>
    %100 = stablehlo.dot_general %99, %model.layers.0.mlp.gate_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<96x64xf32>) -> tensor<8x96xf32>
    %101 = stablehlo.broadcast_in_dim %model.layers.0.mlp.gate_proj.bias, dims = [1] : (tensor<96xf32>) -> tensor<8x96xf32>
    %102 = stablehlo.add %100, %101 : tensor<8x96xf32>
    %103 = stablehlo.dot_general %99, %model.layers.0.mlp.up_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<96x64xf32>) -> tensor<8x96xf32>
    %104 = stablehlo.broadcast_in_dim %model.layers.0.mlp.up_proj.bias, dims = [1] : (tensor<96xf32>) -> tensor<8x96xf32>
    %105 = stablehlo.add %103, %104 : tensor<8x96xf32>
    %106 = stablehlo.logistic %102 : tensor<8x96xf32>
    %107 = stablehlo.multiply %102, %106 : tensor<8x96xf32>
    %108 = stablehlo.multiply %107, %105 : tensor<8x96xf32>
    %109 = stablehlo.dot_general %108, %model.layers.0.mlp.down_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x96xf32>, tensor<64x96xf32>) -> tensor<8x64xf32>
    %110 = stablehlo.broadcast_in_dim %model.layers.0.mlp.down_proj.bias, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %111 = stablehlo.add %109, %110 : tensor<8x64xf32>
    %112 = stablehlo.add %90, %111 : tensor<8x64xf32>
    // layer 1
    %113 = stablehlo.multiply %112, %112 : tensor<8x64xf32>
    %114 = stablehlo.reduce(%113 init: %8) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %115 = stablehlo.divide %114, %10 : tensor<8xf32>
    %116 = stablehlo.add %115, %12 : tensor<8xf32>
    %117 = stablehlo.rsqrt %116 : tensor<8xf32>
    %118 = stablehlo.broadcast_in_dim %117, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %119 = stablehlo.broadcast_in_dim %model.layers.1.input_layernorm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %120 = stablehlo.multiply %112, %118 : tensor<8x64xf32>
    %121 = stablehlo.multiply %120, %119 : tensor<8x64xf32>
    %122 = stablehlo.dot_general %121, %model.layers.1.self_attn.q_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    %123 = stablehlo.broadcast_in_dim %model.layers.1.self_attn.q_proj.bias, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %124 = stablehlo.add %122, %123 : tensor<8x64xf32>
    %125 = stablehlo.dot_general %121, %model.layers.1.self_attn.k_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
    %126 = stablehlo.broadcast_in_dim %model.layers.1.self_attn.k_proj.bias, dims = [1] : (tensor<32xf32>) -> tensor<8x32xf32>
    %127 = stablehlo.add %125, %126 : tensor<8x32xf32>
    %128 = stablehlo.dot_general %121, %model.layers.1.self_attn.v_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
    %129 = stablehlo.broadcast_in_dim %model.layers.1.self_attn.v_proj.bias, dims = [1] : (tensor<32xf32>) -> tensor<8x32xf32>
    %130 = stablehlo.add %128, %129 : tensor<8x32xf32>
    %131 = stablehlo.reshape %124 : (tensor<8x64xf32>) -> tensor<8x4x16xf32>
    %132 = stablehlo.reshape %127 : (tensor<8x32xf32>) -> tensor<8x2x16xf32>
    %133 = stablehlo.reshape %130 : (tensor<8x32xf32>) -> tensor<8x2x16xf32>
    %134 = stablehlo.slice %131 [0:8, 0:4, 0:8] : (tensor<8x4x16xf32>) -> tensor<8x4x8xf32>
    %135 = stablehlo.slice %131 [0:8, 0:4, 8:16] : (tensor<8x4x16xf32>) -> tensor<8x4x8xf32>
    %136 = stablehlo.broadcast_in_dim %1, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x4x8xf32>
    %137 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x4x8xf32>
    %138 = stablehlo.multiply %134, %136 : tensor<8x4x8xf32>
    %139 = stablehlo.multiply %135, %137 : tensor<8x4x8xf32>
    %140 = stablehlo.subtract %138, %139 : tensor<8x4x8xf32>
    %141 = stablehlo.multiply %135, %136 : tensor<8x4x8xf32>
    %142 = stablehlo.multiply %134, %137 : tensor<8x4x8xf32>
    %143 = stablehlo.add %141, %142 : tensor<8x4x8xf32>
    %144 = stablehlo.concatenate %140, %143, dim = 2 : (tensor<8x4x8xf32>, tensor<8x4x8xf32>) -> tensor<8x4x16xf32>
    %145 = stablehlo.slice %132 [0:8, 0:2, 0:8] : (tensor<8x2x16xf32>) -> tensor<8x2x8xf32>
    %146 = stablehlo.slice %132 [0:8, 0:2, 8:16] : (tensor<8x2x16xf32>) -> tensor<8x2x8xf32>
    %147 = stablehlo.broadcast_in_dim %1, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x2x8xf32>
    %148 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<8x8xf32>) -> tensor<8x2x8xf32>
    %149 = stablehlo.multiply %145, %147 : tensor<8x2x8xf32>
    %150 = stablehlo.multiply %146, %148 : tensor<8x2x8xf32>
    %151 = stablehlo.subtract %149, %150 : tensor<8x2x8xf32>
    %152 = stablehlo.multiply %146, %147 : tensor<8x2x8xf32>
    %153 = stablehlo.multiply %145, %148 : tensor<8x2x8xf32>
    %154 = stablehlo.add %152, %153 : tensor<8x2x8xf32>
    %155 = stablehlo.concatenate %151, %154, dim = 2 : (tensor<8x2x8xf32>, tensor<8x2x8xf32>) -> tensor<8x2x16xf32>
    %156 = stablehlo.reshape %cache.1.keys : (tensor<9x16x2x16xf32>) -> tensor<144x2x16xf32>
    %157 = stablehlo.reshape %slots : (tensor<8xi32>) -> tensor<8x1xi32>
    %158 = "stablehlo.scatter"(%156, %157, %155) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%old: tensor<f32>, %new: tensor<f32>):
        stablehlo.return %new : tensor<f32>
    }) : (tensor<144x2x16xf32>, tensor<8x1xi32>, tensor<8x2x16xf32>) -> tensor<144x2x16xf32>
    %159 = stablehlo.reshape %158 : (tensor<144x2x16xf32>) -> tensor<9x16x2x16xf32>
    %160 = stablehlo.reshape %cache.1.values : (tensor<9x16x2x16xf32>) -> tensor<144x2x16xf32>
    %161 = stablehlo.reshape %slots : (tensor<8xi32>) -> tensor<8x1xi32>
    %162 = "stablehlo.scatter"(%160, %161, %133) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1, 2], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({
      ^bb0(%old: tensor<f32>, %new: tensor<f32>):
        stablehlo.return %new : tensor<f32>
    }) : (tensor<144x2x16xf32>, tensor<8x1xi32>, tensor<8x2x16xf32>) -> tensor<144x2x16xf32>
    %163 = stablehlo.reshape %162 : (tensor<144x2x16xf32>) -> tensor<9x16x2x16xf32>
    %164 = stablehlo.reshape %tables : (tensor<2x4xi32>) -> tensor<2x4x1xi32>
    %165 = "stablehlo.gather"(%159, %164) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3, 4], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16, 2, 16>}> : (tensor<9x16x2x16xf32>, tensor<2x4x1xi32>) -> tensor<2x4x16x2x16xf32>
    %166 = stablehlo.reshape %165 : (tensor<2x4x16x2x16xf32>) -> tensor<2x64x2x16xf32>
    %167 = stablehlo.reshape %tables : (tensor<2x4xi32>) -> tensor<2x4x1xi32>
    %168 = "stablehlo.gather"(%163, %167) <{dimension_numbers = #stablehlo.gather<offset_dims = [2, 3, 4], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 2>, indices_are_sorted = false, slice_sizes = array<i64: 1, 16, 2, 16>}> : (tensor<9x16x2x16xf32>, tensor<2x4x1xi32>) -> tensor<2x4x16x2x16xf32>
    %169 = stablehlo.reshape %168 : (tensor<2x4x16x2x16xf32>) -> tensor<2x64x2x16xf32>
    %170 = stablehlo.multiply %144, %67 : tensor<8x4x16xf32>
    %171 = stablehlo.reshape %170 : (tensor<8x4x16xf32>) -> tensor<2x4x2x2x16xf32>
    %172 = stablehlo.dot_general %171, %166, batching_dims = [0, 2] x [0, 2], contracting_dims = [4] x [3], precision = [HIGHEST, HIGHEST] : (tensor<2x4x2x2x16xf32>, tensor<2x64x2x16xf32>) -> tensor<2x2x4x2x64xf32>
    %173 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x4xi32>) -> tensor<2x2x4x2x64xi32>
    %174 = stablehlo.compare LE, %71, %173 : (tensor<2x2x4x2x64xi32>, tensor<2x2x4x2x64xi32>) -> tensor<2x2x4x2x64xi1>
    %175 = stablehlo.select %174, %172, %74 : tensor<2x2x4x2x64xi1>, tensor<2x2x4x2x64xf32>
    %176 = stablehlo.reduce(%175 init: %76) applies stablehlo.maximum across dimensions = [4] : (tensor<2x2x4x2x64xf32>, tensor<f32>) -> tensor<2x2x4x2xf32>
    %177 = stablehlo.broadcast_in_dim %176, dims = [0, 1, 2, 3] : (tensor<2x2x4x2xf32>) -> tensor<2x2x4x2x64xf32>
    %178 = stablehlo.subtract %175, %177 : tensor<2x2x4x2x64xf32>
    %179 = stablehlo.exponential %178 : tensor<2x2x4x2x64xf32>
    %180 = stablehlo.reduce(%179 init: %8) applies stablehlo.add across dimensions = [4] : (tensor<2x2x4x2x64xf32>, tensor<f32>) -> tensor<2x2x4x2xf32>
    %181 = stablehlo.broadcast_in_dim %180, dims = [0, 1, 2, 3] : (tensor<2x2x4x2xf32>) -> tensor<2x2x4x2x64xf32>
    %182 = stablehlo.divide %179, %181 : tensor<2x2x4x2x64xf32>
    %183 = stablehlo.dot_general %182, %169, batching_dims = [0, 1] x [0, 2], contracting_dims = [4] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x2x4x2x64xf32>, tensor<2x64x2x16xf32>) -> tensor<2x2x4x2x16xf32>
    %184 = stablehlo.transpose %183, dims = [0, 2, 1, 3, 4] : (tensor<2x2x4x2x16xf32>) -> tensor<2x4x2x2x16xf32>
    %185 = stablehlo.reshape %184 : (tensor<2x4x2x2x16xf32>) -> tensor<8x64xf32>
    %186 = stablehlo.dot_general %185, %model.layers.1.self_attn.o_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    %187 = stablehlo.broadcast_in_dim %model.layers.1.self_attn.o_proj.bias, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %188 = stablehlo.add %186, %187 : tensor<8x64xf32>
    %189 = stablehlo.add %112, %188 : tensor<8x64xf32>
    %190 = stablehlo.multiply %189, %189 : tensor<8x64xf32>
    %191 = stablehlo.reduce(%190 init: %8) applies stablehlo.add across dimensions = [1] : (tensor<8x64xf32>, tensor<f32>) -> tensor<8xf32>
    %192 = stablehlo.divide %191, %10 : tensor<8xf32>
    %193 = stablehlo.add %192, %12 : tensor<8xf32>
    %194 = stablehlo.rsqrt %193 : tensor<8xf32>
    %195 = stablehlo.broadcast_in_dim %194, dims = [0] : (tensor<8xf32>) -> tensor<8x64xf32>
    %196 = stablehlo.broadcast_in_dim %model.layers.1.post_attention_layernorm.weight, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %197 = stablehlo.multiply %189, %195 : tensor<8x64xf32>
    %198 = stablehlo.multiply %197, %196 : tensor<8x64xf32>
    %199 = stablehlo.dot_general %198, %model.layers.1.mlp.gate_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<96x64xf32>) -> tensor<8x96xf32>
    %200 = stablehlo.broadcast_in_dim %model.layers.1.mlp.gate_proj.bias, dims = [1] : (tensor<96xf32>) -> tensor<8x96xf32>
    %201 = stablehlo.add %199, %200 : tensor<8x96xf32>
    %202 = stablehlo.dot_general %198, %model.layers.1.mlp.up_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x64xf32>, tensor<96x64xf32>) -> tensor<8x96xf32>
    %203 = stablehlo.broadcast_in_dim %model.layers.1.mlp.up_proj.bias, dims = [1] : (tensor<96xf32>) -> tensor<8x96xf32>
    %204 = stablehlo.add %202, %203 : tensor<8x96xf32>
    %205 = stablehlo.logistic %201 : tensor<8x96xf32>
    %206 = stablehlo.multiply %201, %205 : tensor<8x96xf32>
    %207 = stablehlo.multiply %206, %204 : tensor<8x96xf32>
    %208 = stablehlo.dot_general %207, %model.layers.1.mlp.down_proj.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<8x96xf32>, tensor<64x96xf32>) -> tensor<8x64xf32>
    %209 = stablehlo.broadcast_in_dim %model.layers.1.mlp.down_proj.bias, dims = [1] : (tensor<64xf32>) -> tensor<8x64xf32>
    %210 = stablehlo.add %208, %209 : tensor<8x64xf32>
    %211 = stablehlo.add %189, %210 : tensor<8x64xf32>
    return %56, %60, %159, %163, %211 : tensor<9x16x2x16xf32>, tensor<9x16x2x16xf32>, tensor<9x16x2x16xf32>, tensor<9x16x2x16xf32>, tensor<8x64xf32>
  }
}
