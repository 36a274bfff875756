import Foundation
import ModelFiles
import Tensor
import TestSupport
import Testing

@Suite struct BlockFormatTests {
  static let formats = [
    "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
    "MXFP4", "TQ1_0", "TQ2_0", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S", "IQ1_M",
  ]

  @Test("random blocks become the floats that the gguf package makes of them, to the bit", arguments: formats)
  func values(format: String) throws {
    let file = try GGUFFile(path: Places.golden.appendingPathComponent("gguf/blocks.gguf").path)
    let blocks = try file.tensor(format)
    #expect(blocks.elementType.rawValue == format && blocks.shape == [2, 256])
    let wanted = try file.tensor(format + ".values").floats()
    #expect(Set(wanted).count > (format.hasPrefix("TQ") ? 4 : 30))
    #expect(blocks.floats().map(\.bitPattern) == wanted.map(\.bitPattern))
    let length = blocks.elementType.blockLength
    #expect(blocks.floats(in: 256..<256 + length).map(\.bitPattern) == wanted[256..<256 + length].map(\.bitPattern))
  }

  @Test("a format that is known and cannot be computed with is named")
  func unsupported() throws {
    var writer = GGUFWriter()
    writer.add("x", [1, 256], type: 41, data: Data(count: 36))
    let directory = try TemporaryDirectory()
    try directory.write(writer.data, to: "m.gguf")
    let file = try GGUFFile(path: directory.path + "/m.gguf")
    let error = #expect(throws: ModelFileError.self) { try file.tensor("x") }
    #expect(error?.reason.contains("'x' is Q1_0; supported are F32, F16, BF16, Q4_0") == true)
  }
}
