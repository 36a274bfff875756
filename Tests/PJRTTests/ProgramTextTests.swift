import StableHLO
import Testing

@Suite struct ProgramTextTests {
  @Test("a program's text is StableHLO, with what is donated and shared in its head")
  func text() {
    var builder = ProgramBuilder("sample", partitionCount: 2)
    let table = builder.argument("table", TensorType([4, 2], .float32), aliasedResult: 0, split: 1)
    let places = builder.argument("places", TensorType([3], .int32))
    builder.comment("twice the rows")
    let rows = builder.gather(table, places)
    let twice = builder.apply(.multiply, rows, 2)
    let sums = builder.reduce(twice, .add, dimension: 1)
    let program = builder.program(returning: [(table, 1), (sums, nil)])
    #expect(
      program.text == """
        module @sample attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
          sdy.mesh @mesh = <["model"=2]>
          func.func public @main(
              %table: tensor<4x2xf32> {tf.aliasing_output = 0 : i32, sdy.sharding = #sdy.sharding<@mesh, [{}, {"model"}]>},
              %places: tensor<3xi32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}
          ) -> (tensor<4x2xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"model"}]>}, tensor<3xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}) {
            // twice the rows
            %0 = stablehlo.reshape %places : (tensor<3xi32>) -> tensor<3x1xi32>
            %1 = "stablehlo.gather"(%table, %0) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 2>}> : (tensor<4x2xf32>, tensor<3x1xi32>) -> tensor<3x2xf32>
            %2 = stablehlo.constant dense<2.0> : tensor<3x2xf32>
            %3 = stablehlo.multiply %1, %2 : tensor<3x2xf32>
            %4 = stablehlo.constant dense<0.0> : tensor<f32>
            %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [1] : (tensor<3x2xf32>, tensor<f32>) -> tensor<3xf32>
            return %table, %5 : tensor<4x2xf32>, tensor<3xf32>
          }
        }

        """)
  }
}
