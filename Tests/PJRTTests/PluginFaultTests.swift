import Foundation
import PJRT
import TestSupport
import Testing

@Suite struct PluginFaultTests {
  private func message(_ request: String) -> String {
    #expect(throws: PJRTError.self) { try PJRTPlugin(try PJRTPluginLocation(request)) }?.description ?? ""
  }

  @Test("a name that is installed nowhere is refused with the places that were looked at")
  func missingByName() {
    let error = #expect(throws: PJRTError.self) {
      try PJRTPluginLocation("neuron", environment: ["FORETOKEN_PJRT_PLUGIN_DIR": "/nowhere", "PATH": ""])
    }
    #expect(error?.description.contains("/nowhere/libneuronxla/libneuronpjrt.so") == true)
  }

  @Test("a file that is missing, no library, or no plugin is refused by name")
  func noPlugin() throws {
    let directory = try TemporaryDirectory()
    try directory.write(Data("not a library".utf8), to: "text.so")
    #expect(message(directory.path + "/missing.so").contains("cannot open shared object file"))
    #expect(message(directory.path + "/text.so").contains("cannot be loaded"))
    #expect(message("libm.so.6").contains("./libm.so.6"))
    let library = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"]
      .first { FileManager.default.fileExists(atPath: $0) }
    if let library { #expect(message(library).contains("GetPjrtApi")) }
  }

  @Test("headers of libraries that name places beyond any file are refused")
  func absurdHeaders() throws {
    let directory = try TemporaryDirectory()
    var random = SeededGenerator(seed: 12)
    for place in [UInt64(64), 1 << 40, 1 << 63, .max] + (0..<200).map({ _ in random.next() }) {
      var header: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1] + Array(repeating: 0, count: 58)
      // Where the program headers are, the size of one, and their number.
      for byte in 0..<8 { header[32 + byte] = UInt8(truncatingIfNeeded: place >> UInt64(8 * byte)) }
      for index in 54..<58 { header[index] = UInt8.random(in: 56...255, using: &random) }
      try directory.write(Data(header), to: "absurd.so")
      #expect(message(directory.path + "/absurd.so").contains("cut off within its headers"), "\(place)")
    }
  }

  @Test("a library for another processor is refused", .enabled(if: CPUPlugin.location != nil))
  func otherProcessor() throws {
    let directory = try TemporaryDirectory()
    var library = try Data(contentsOf: URL(fileURLWithPath: try #require(CPUPlugin.location).path))
    // e_machine of an ELF header: 62 is x86-64, 183 AArch64, 243 RISC-V.
    library[18] = library[18] == 243 ? 62 : 243
    try directory.write(library, to: "other.so")
    #expect(message(directory.path + "/other.so").contains("cannot be loaded"))
  }

  @Test("a library that was cut off is refused", .enabled(if: CPUPlugin.location != nil))
  func truncated() throws {
    let directory = try TemporaryDirectory()
    let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: try #require(CPUPlugin.location).path))
    try directory.write(try #require(try handle.read(upToCount: 1 << 20)), to: "cut.so")
    #expect(message(directory.path + "/cut.so").contains("cut off"))
  }

  @Test("a program that does not parse is refused in the compiler's words", .enabled(if: CPUPlugin.location != nil))
  func compileError() throws {
    let client = try PJRTClient(try PJRTPlugin(try #require(CPUPlugin.location)))
    let error = #expect(throws: PJRTError.self) {
      _ = try PJRTExecutable(client, stableHLO: "module { nonsense }", options: PJRTCompileOptions())
    }
    #expect(error?.description.contains("compile a program") == true)
  }
}
