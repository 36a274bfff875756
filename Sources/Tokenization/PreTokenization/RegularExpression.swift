internal import CForetokenPCRE2

/// A compiled PCRE2 pattern over UTF-8 with Unicode properties, matched by JIT code where the machine has it.
///
/// The compiled code is never written after `init`, so one expression serves any number of threads.
@safe final class RegularExpression: Sendable {
  /// The pattern could not be compiled.
  struct CompilationError: Error {
    let message: String
    let offset: Int
  }

  /// `match` gives up after this much backtracking, so that no pattern and text can hold a request forever.
  private static let matchLimit: UInt32 = 5_000_000
  private static let heapLimitKibibytes: UInt32 = 65_536

  private let code: CompiledCode

  /// - Parameters:
  ///   - pattern: PCRE2 syntax, or plain text if `isLiteral`.
  init(_ pattern: String, isLiteral: Bool = false) throws(CompilationError) {
    var errorCode: Int32 = 0
    var errorOffset = 0
    let context = unsafe pcre2_compile_context_create_8(nil)
    defer { unsafe pcre2_compile_context_free_8(context) }
    unsafe pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
    var options = UInt32(PCRE2_UTF)
    options |= isLiteral ? UInt32(PCRE2_LITERAL) : UInt32(PCRE2_UCP) | UInt32(PCRE2_MULTILINE)
    let utf8 = Array(pattern.utf8)
    let compiled = unsafe utf8.withUnsafeBufferPointer { buffer in
      unsafe pcre2_compile_8(buffer.baseAddress, buffer.count, options, &errorCode, &errorOffset, context)
    }
    guard let compiled = unsafe compiled else {
      var message = [UInt8](repeating: 0, count: 256)
      let length = unsafe message.withUnsafeMutableBufferPointer { buffer in
        unsafe pcre2_get_error_message_8(errorCode, buffer.baseAddress, buffer.count)
      }
      throw CompilationError(
        message: String(decoding: message.prefix(max(0, Int(length))), as: UTF8.self), offset: errorOffset)
    }
    // Without JIT support the same pattern runs in the interpreter: slower, with the same result.
    unsafe pcre2_jit_compile_8(compiled, UInt32(PCRE2_JIT_COMPLETE))
    unsafe code = CompiledCode(pointer: compiled)
  }

  deinit { unsafe pcre2_code_free_8(code.pointer) }

  /// Calls `body` with the range of each match in `bytes[range]`, from left to right; the text outside `range` does not
  /// exist for the pattern. `bytes` must be valid UTF-8 and `range` must lie on character boundaries.
  ///
  /// An empty match right after a match is skipped. Where the match limit is reached the rest of the range counts as
  /// unmatched.
  func forEachMatch(in bytes: [UInt8], range: Range<Int>, workspace: Workspace, _ body: (Range<Int>) -> Void) {
    unsafe bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress, range.upperBound <= buffer.count else { return }
      let subject = unsafe base + range.lowerBound
      let length = range.count
      var offset = 0
      var lastEnd = -1
      while offset <= length {
        var options = UInt32(PCRE2_NO_UTF_CHECK)
        var result = unsafe pcre2_match_8(
          code.pointer, subject, length, offset, options, workspace.memory.data, workspace.memory.context)
        if result == PCRE2_ERROR_JIT_STACKLIMIT {
          options |= UInt32(PCRE2_NO_JIT)
          result = unsafe pcre2_match_8(
            code.pointer, subject, length, offset, options, workspace.memory.data, workspace.memory.context)
        }
        guard result >= 0, let ends = unsafe pcre2_get_ovector_pointer_8(workspace.memory.data) else { return }
        let start = unsafe ends[0]
        let end = unsafe ends[1]
        // `\K` in a lookahead could put the start behind the end; such a match is no range.
        guard start <= end, end <= length else { return }
        if start == end, start == lastEnd {
          offset += 1
          while unsafe offset < length && subject[offset] & 0xC0 == 0x80 { offset += 1 }
          continue
        }
        body(range.lowerBound + start..<range.lowerBound + end)
        offset = end
        lastEnd = end
      }
    }
  }

  /// The memory that one matching at a time needs. It fits any expression; who holds it must not share it meanwhile.
  @safe final class Workspace: Sendable {
    fileprivate let memory: WorkspaceMemory

    init() {
      // One pair of offsets: where the whole match starts and ends. Groups are of no interest.
      unsafe memory = WorkspaceMemory(
        data: pcre2_match_data_create_8(1, nil), context: pcre2_match_context_create_8(nil))
      unsafe pcre2_set_match_limit_8(memory.context, RegularExpression.matchLimit)
      unsafe pcre2_set_heap_limit_8(memory.context, RegularExpression.heapLimitKibibytes)
    }

    deinit {
      unsafe pcre2_match_data_free_8(memory.data)
      unsafe pcre2_match_context_free_8(memory.context)
    }
  }
}

/// What a `Workspace` owns. The pool hands a workspace to one encoding at a time, whichever thread that runs on.
@unsafe private struct WorkspaceMemory: @unchecked Sendable {
  let data: OpaquePointer?
  let context: OpaquePointer?
}

/// Compiled code, read-only once it is compiled; it lives as long as the `RegularExpression` that owns it.
@unsafe private struct CompiledCode: @unchecked Sendable {
  let pointer: OpaquePointer
}
