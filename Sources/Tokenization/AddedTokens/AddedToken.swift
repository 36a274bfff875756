/// A token that is found in the text as it stands, before anything is split or merged: a control token, or a word added later.
struct AddedToken: Sendable, Equatable {
  var id: TokenID
  var content: String
  /// A control token, left out of decoded text on request.
  var isSpecial = false
  /// Found only where no word character touches it.
  var isSingleWord = false
  /// Takes the white space before it.
  var stripsLeft = false
  /// Takes the white space after it.
  var stripsRight = false
  /// Looked for in the normalized text.
  var isNormalized = true
}
