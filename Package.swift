// swift-tools-version: 6.2
import PackageDescription

/// One set of rules for every target of ours: strict memory safety, explicit existentials, explicit imports,
/// and no warning left standing.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "foretoken",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "foretoken", targets: ["foretoken"]),
    // `foretoken demo` by itself, which needs neither server nor HTTP client: the first thing that one builds.
    .executable(name: "foretoken-demo", targets: ["foretoken-demo"]),
    // For tests: loaded by its path, as plugins are.
    .library(name: "FaultPlugin", type: .dynamic, targets: ["FaultPlugin"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    // Layers, top to bottom: a target imports only targets above it.
    .target(name: "CForetokenKernels"),
    .target(name: "CForetokenFaults"),
    .target(name: "CPJRT"),
    .systemLibrary(
      name: "CForetokenPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"]), .brew(["pcre2"])]),
    .systemLibrary(
      name: "CForetokenZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .systemLibrary(
      name: "CForetokenCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
    .systemLibrary(
      name: "CForetokenEditline", pkgConfig: "libedit", providers: [.apt(["libedit-dev"]), .brew(["libedit"])]),
    .target(name: "Tensor", dependencies: ["CForetokenKernels", "CForetokenFaults"], swiftSettings: strict),
    .target(name: "JSON", dependencies: [.product(name: "Yams", package: "Yams")], swiftSettings: strict),
    .target(
      name: "ModelFiles",
      dependencies: ["CForetokenCrypto", "Tensor", "JSON"], swiftSettings: strict),
    .target(name: "PJRT", dependencies: ["CPJRT"], swiftSettings: strict),
    .target(name: "Tokenization", dependencies: ["CForetokenPCRE2", "JSON"], swiftSettings: strict),
    .target(name: "ChatTemplates", dependencies: ["JSON", "Tokenization"], swiftSettings: strict),
    .target(name: "Transformer", dependencies: ["Tensor", "ModelFiles"], swiftSettings: strict),
    .target(name: "StableHLO", swiftSettings: strict),
    .target(
      name: "PJRTTransformer", dependencies: ["PJRT", "StableHLO", "Tensor", "ModelFiles", "Transformer"],
      swiftSettings: strict),
    .target(name: "Decoding", dependencies: ["Tensor", "Transformer", "Tokenization"], swiftSettings: strict),
    .target(
      name: "Speculation", dependencies: ["Tensor", "Tokenization", "Transformer", "Decoding"], swiftSettings: strict),
    .target(
      name: "Inference",
      dependencies: [
        "PJRT", "PJRTTransformer", "Tensor", "JSON", "ModelFiles", "Tokenization", "ChatTemplates", "Transformer",
        "Decoding", "Speculation",
      ],
      swiftSettings: strict),
    .target(name: "StructuredOutput", dependencies: ["JSON", "Tokenization", "Decoding"], swiftSettings: strict),
    .target(
      name: "OpenAIServer",
      dependencies: [
        "CForetokenZlib",
        "JSON", "ModelFiles", "Tokenization", "ChatTemplates", "Decoding", "Speculation", "Inference",
        "StructuredOutput",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      resources: [.embedInCode("Resources")], swiftSettings: strict),
    .target(
      name: "Measurement",
      dependencies: [
        "PJRT", "PJRTTransformer", "Tensor", "JSON", "ModelFiles", "Tokenization", "Transformer", "Decoding",
        "Inference",
      ],
      swiftSettings: strict),
    .target(
      name: "LoadTesting",
      dependencies: [
        "JSON", "Tokenization", .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Histogram", package: "hdrhistogram-swift"), .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: strict),
    .target(
      name: "Tuning",
      dependencies: [
        "Tensor", "JSON", "ModelFiles", "Tokenization", "Transformer", "Decoding", "Speculation", "Inference",
        "Measurement", "LoadTesting", .product(name: "Yams", package: "Yams"),
      ],
      resources: [.embedInCode("Resources")], swiftSettings: strict),
    .target(
      name: "Presentation",
      dependencies: [
        "Tensor", "JSON", "Decoding", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .target(
      name: "Demonstration",
      dependencies: [
        "Tensor", "ModelFiles", "Tokenization", "ChatTemplates", "Transformer", "Decoding", "Inference", "Measurement",
        "Presentation", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "foretoken-demo",
      dependencies: ["Demonstration", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: strict),
    .target(
      name: "Report",
      dependencies: [
        "JSON", "Tensor", "Decoding", "Measurement", "LoadTesting", "Tuning", "Presentation",
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      resources: [.embedInCode("Resources")], swiftSettings: strict),
    .target(
      name: "Deployment",
      dependencies: [
        "JSON", "Tensor", "ModelFiles", "Transformer", "Decoding", "PJRTTransformer", "Inference", "LoadTesting",
        "Tuning", .product(name: "Yams", package: "Yams"),
      ],
      resources: [.embedInCode("Resources")], swiftSettings: strict),
    .executableTarget(
      name: "foretoken",
      dependencies: [
        "CForetokenEditline", "PJRT", "PJRTTransformer", "Tensor", "JSON", "ModelFiles", "Tokenization",
        "ChatTemplates", "Transformer", "Decoding", "Speculation", "Inference",
        "Measurement", "LoadTesting", "Tuning", "Presentation", "Demonstration", "Report", "OpenAIServer",
        "StructuredOutput", "Deployment",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"), .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: strict),

    .target(
      name: "TestSupport",
      dependencies: [
        "Decoding", "Inference", "ModelFiles", "OpenAIServer", "Tensor", "Transformer",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/TestSupport", swiftSettings: [.swiftLanguageMode(.v6)]),
    .target(name: "FaultPlugin", path: "Tests/FaultPlugin"),
    .executableTarget(
      name: "serving-stub",
      dependencies: [
        "LoadTesting",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      path: "Tests/ServingStub", swiftSettings: [.swiftLanguageMode(.v6)]),
    .executableTarget(
      name: "pool-stress", dependencies: ["Tensor"], path: "Tests/PoolStress", swiftSettings: [.swiftLanguageMode(.v6)]),
    .testTarget(name: "TensorTests", dependencies: ["TestSupport", "Tensor"], swiftSettings: strict),
    .testTarget(
      name: "BenchmarkingTests",
      dependencies: [
        "TestSupport", "Measurement", "LoadTesting", "Tuning", "Presentation", "Report", "JSON", "ModelFiles", "Tensor",
        "Tokenization", "Transformer", "Decoding", "Inference",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ModelFilesTests",
      dependencies: [
        "TestSupport", "ModelFiles", "Tensor",
        .product(name: "FlyingFox", package: "FlyingFox"), .product(name: "FlyingSocks", package: "FlyingFox"),
      ],
      swiftSettings: strict),
    .testTarget(name: "JSONTests", dependencies: ["TestSupport", "JSON"], swiftSettings: strict),
    .testTarget(
      name: "TokenizationTests", dependencies: ["TestSupport", "JSON", "Tokenization"], swiftSettings: strict),
    .testTarget(
      name: "ChatTemplatesTests", dependencies: ["TestSupport", "JSON", "ChatTemplates", "Tokenization"],
      swiftSettings: strict),
    .testTarget(
      name: "TransformerTests", dependencies: ["TestSupport", "Transformer", "Tensor", "ModelFiles"],
      swiftSettings: strict),
    .testTarget(
      name: "DecodingTests",
      dependencies: ["TestSupport", "Decoding", "Speculation", "Inference", "Tensor", "Transformer", "Tokenization"],
      swiftSettings: strict),
    .testTarget(
      name: "SpeculationTests",
      dependencies: [
        "TestSupport", "Speculation", "Inference", "Decoding", "Transformer", "Tokenization", "ModelFiles", "Tensor",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "PJRTTests",
      dependencies: [
        "TestSupport", "PJRT", "PJRTTransformer", "StableHLO", "Speculation", "Inference", "Decoding", "Transformer",
        "Tokenization", "ModelFiles", "Tensor",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "StructuredOutputTests",
      dependencies: [
        "TestSupport", "StructuredOutput", "Speculation", "Inference", "Decoding", "Transformer", "JSON",
        "Tokenization", "ModelFiles", "Tensor",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "OpenAIServerTests",
      dependencies: [
        "TestSupport", "OpenAIServer", "StructuredOutput", "Decoding", "Speculation", "Inference", "JSON",
        "Tokenization",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdTesting", package: "hummingbird"), .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CommandLineTests", dependencies: ["TestSupport", "foretoken", "ChatTemplates", "JSON"],
      swiftSettings: strict),
    .testTarget(
      name: "DeploymentTests",
      dependencies: [
        "TestSupport", "Decoding", "Tuning", "Deployment", "JSON", .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: strict),
  ]
)

// Optimising tests takes longer than it saves, but for those that compute what kernels should.
for target in package.targets where target.type == .test && target.name != "TensorTests" {
  target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(["-Onone"])]
}
