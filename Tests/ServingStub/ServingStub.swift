import ArgumentParser
import Foundation
import LoadTesting
import NIOCore
import NIOHTTP1
import NIOPosix

/// A server whose timing is known: it streams made-up tokens at drawn times and notes when it sent each. Load generators
/// are held against its notes, at `/truth`.
@main
struct ServingStub: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serving-stub", abstract: "An OpenAI-compatible server that sends tokens at known times.")

  @Option(help: "Where to listen; 0 for any free port, which is printed.")
  var port = 0

  @Option(help: "Tokens of every answer, unless the request asks for fewer.")
  var tokens = 100

  @Option(help: "Mean time to the first token.")
  var ttftMs = 200.0

  @Option(help: "Mean time between tokens.")
  var itlMs = 100.0

  @Option(help: "Share of these by which each may lie below or above; 0 for none.")
  var spread = 0.5

  @Option(help: "Selects the times.")
  var seed: UInt64 = 1

  func run() async throws {
    OpenFiles.raiseLimit()
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let truth = Truth()
    let timing = Timing(tokens: tokens, firstMilliseconds: ttftMs, gapMilliseconds: itlMs, spread: spread, seed: seed)
    let server = try await ServerBootstrap(group: loops)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: false)
          try channel.pipeline.syncOperations.addHandler(AnswerHandler(timing: timing, truth: truth))
        }
      }
      .bind(host: "127.0.0.1", port: port).get()
    // Not print: a pipe's reader is waiting for it.
    FileHandle.standardOutput.write(Data("\(server.localAddress?.port ?? 0)\n".utf8))
    try await server.closeFuture.get()
  }
}
