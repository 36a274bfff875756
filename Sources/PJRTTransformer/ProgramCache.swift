internal import Foundation
internal import ModelFiles
internal import PJRT
internal import StableHLO
internal import Tensor

/// Compiled programs on disk, so that a program is compiled once: later starts load what the compiler made.
///
/// Files are named by the program's text, how it is compiled, the plugin's content and versions, and the devices.
/// Whatever goes wrong costs time, never the program: a file that is damaged or refused is made anew, and one that cannot
/// be written is done without.
///
/// Format: eight bytes of magic, the SHA-256 of key and content in hexadecimal digits, then the content, which is the
/// plugin's own.
package struct ProgramCache: Sendable {
  package let folder: String
  /// Hears, in a sentence, of files that cannot be used or written.
  package let report: @Sendable (String) -> Void

  private static let magic = Data("FTPROG01".utf8)
  private static let digestBytes = 64

  package init(folder: String, report: @escaping @Sendable (String) -> Void = { _ in }) {
    (self.folder, self.report) = (folder, report)
  }

  /// A program's place in the cache.
  struct Entry {
    let key, path: String
  }

  /// The place of a program; `nil` when the plugin's file cannot be read.
  ///
  /// - Parameter environment: what the plugin's compiler reads from there.
  func entry(
    for program: Program, options: PJRTCompileOptions, client: PJRTClient, devices: [PJRTDevice],
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Entry? {
    let plugin = client.plugin
    let flags = environment.filter { ["XLA_FLAGS", "NEURON_CC_FLAGS"].contains($0.key) }.sorted { $0.key < $1.key }
    // Programs for CPU devices are made for the very processor, which the plugin does not name.
    var parts = [plugin.version, client.platform, client.platformVersion, Processor.name, "\(options.serialized)"]
    parts += plugin.attributes.map { "\($0.name)=\($0.value)" }
    parts += devices.map { "\($0.id) \($0.kind)" }
    parts += flags.map { "\($0.key)=\($0.value)" }
    parts.append(program.text)
    let digests = ContentDigest(rememberingIn: folder + "/digests")
    do {
      let key = String(try digests.digest(of: [plugin.path], and: parts.joined(separator: "\n")).prefix(32))
      return Entry(key: key, path: "\(folder)/programs/\(key).\(client.platform)")
    } catch {
      report("\(error); programs are not kept for the next start")
      return nil
    }
  }

  /// The program on the devices; `nil` when there is none yet, or none that can be used.
  func open(_ entry: Entry, client: PJRTClient) -> LoadedProgram? {
    guard FileManager.default.fileExists(atPath: entry.path) else { return nil }
    do {
      let content = try content(of: entry)
      return LoadedProgram(try PJRTExecutable(client, serialized: content.bytes), isFromCache: true)
    } catch {
      report("'\(entry.path)': \(error); the program is compiled anew")
      return nil
    }
  }

  /// Keeps a program for the next start.
  ///
  /// - Returns: whether it is kept.
  func save(_ program: LoadedProgram, as entry: Entry) -> Bool {
    do {
      let content = Data(try program.executable.serialized())
      let file = URL(fileURLWithPath: entry.path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try (Self.magic + Self.digest(of: content, entry) + content).write(to: file, options: .atomic)
      return true
    } catch let error as PJRTError {
      report("\(error); programs are not kept for the next start")
    } catch {
      report("a program is not kept for the next start: '\(entry.path)': \(error.localizedDescription)")
    }
    return false
  }

  /// The plugin's part of a file that is whole.
  private func content(of entry: Entry) throws -> Data {
    let file = try Data(contentsOf: URL(fileURLWithPath: entry.path))
    let start = Self.magic.count + Self.digestBytes
    guard file.count > start, file.prefix(Self.magic.count) == Self.magic else {
      throw FileDamage.notAProgram
    }
    let content = file.dropFirst(start)
    guard file[Self.magic.count..<start] == Self.digest(of: content, entry) else { throw FileDamage.damaged }
    return content
  }

  private static func digest(of content: Data, _ entry: Entry) -> Data {
    Data(ContentDigest.digest(of: Array(entry.key.utf8) + content).utf8)
  }
}

/// Why a file of the cache is not used.
private enum FileDamage: Error, CustomStringConvertible {
  case notAProgram, damaged

  var description: String {
    self == .notAProgram ? "is not a compiled program" : "is damaged or another program's"
  }
}
