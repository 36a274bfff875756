/// Columns of text, aligned for a terminal.
package struct Table {
  /// How a column lines up.
  package enum Alignment { case left, right }

  private let alignments: [Alignment]
  private var rows: [[String]]

  package init(_ header: [(title: String, alignment: Alignment)]) {
    alignments = header.map(\.alignment)
    rows = [header.map(\.title)]
  }

  package mutating func append(_ row: [String]) { rows.append(row) }

  /// The header, a rule, and the rows.
  package func rendered(style: TextStyle) -> String {
    let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      zip(row, zip(widths, alignments)).map { cell, layout in
        let padding = String(repeating: " ", count: layout.0 - cell.count)
        return layout.1 == .left ? cell + padding : padding + cell
      }.joined(separator: "  ")
    }
    lines[0] = style.bold(lines[0])
    lines.insert(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  "), at: 1)
    return lines.joined(separator: "\n")
  }
}
