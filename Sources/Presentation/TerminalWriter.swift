internal import Tensor

/// A report as text for a terminal: tables instead of charts.
package struct TerminalWriter {
  private let style: TextStyle

  package init(style: TextStyle) { self.style = style }

  package func text(_ page: ReportPage) -> String {
    let tiles = page.tiles.map { tile in
      "\(clean(tile.label)): \(style.bold(clean(tile.value)))" + (tile.detail.isEmpty ? "" : ", \(clean(tile.detail))")
    }
    let top = [style.bold(clean(page.title))] + [page.about].compactMap { $0.map(clean) } + page.summary.map(clean)
    let parts = [top.joined(separator: "\n"), tiles.joined(separator: "\n")].filter { !$0.isEmpty }.map { $0 + "\n" }
    return (parts + page.sections.map(text).filter { !$0.isEmpty }).joined(separator: "\n")
  }

  /// A part with its heading; empty when nothing of it can be shown.
  package func text(_ section: ReportPage.Section) -> String {
    let blocks = text(section.blocks + (section.details?.blocks ?? []))
    return blocks.isEmpty ? "" : style.bold(clean(section.heading)) + "\n\n" + blocks
  }

  /// Blocks with an empty line between them.
  package func text(_ blocks: [ReportPage.Block]) -> String {
    let texts = blocks.map(block).filter { !$0.isEmpty }
    return texts.isEmpty ? "" : texts.joined(separator: "\n\n") + "\n"
  }

  private func block(_ block: ReportPage.Block) -> String {
    if let text = block.paragraph { return style.dim(clean(text)) }
    if let table = block.table { return self.table(table) }
    if let listing = block.listing {
      return style.dim(clean(listing.caption)) + "\n" + listing.lines.map { "  " + clean($0) }.joined(separator: "\n")
    }
    let names = block.facts.map { clean($0.name) }
    let width = names.map(\.count).max() ?? 0
    return zip(names, block.facts).map { name, fact in
      style.bold(name) + Self.spaces(width - name.count + 2) + clean(fact.value)
    }.joined(separator: "\n")
  }

  /// The head, a rule and the rows: words on the left of their columns, numbers on the right.
  private func table(_ table: ReportPage.Table) -> String {
    let rows = ([table.head] + table.rows.map(\.cells)).map { $0.map { clean($0.text) } }
    let widths = table.head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      row.indices.map { column in
        let padding = Self.spaces(widths[column] - row[column].count)
        return table.head[column].isNumber ? padding + row[column] : row[column] + padding
      }.joined(separator: "  ")
    }
    lines[0] = style.bold(lines[0])
    lines.insert(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  "), at: 1)
    if !table.caption.isEmpty { lines.append(style.dim(clean(table.caption))) }
    return lines.joined(separator: "\n")
  }

  private static func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }

  /// Texts come from servers and files: nothing in them is to move the cursor or to begin a line.
  private func clean(_ text: String) -> String {
    String(text.map { $0.isNewline ? " " : $0 }).escapingControls
  }
}
