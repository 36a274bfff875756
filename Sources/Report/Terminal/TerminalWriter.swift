internal import Tensor

/// A report as text for a terminal: tables instead of charts.
struct TerminalWriter {
  let style: TextStyle

  func text(_ page: ReportPage) -> String {
    let tiles = page.tiles.map { tile in
      "\(clean(tile.label)): \(style.bold(clean(tile.value)))" + (tile.detail.isEmpty ? "" : ", \(clean(tile.detail))")
    }
    let top = [style.bold(clean(page.title))] + page.summary.map(clean)
    let sections = page.sections.map(section).filter { !$0.isEmpty }
    return ([top.joined(separator: "\n"), tiles.joined(separator: "\n")] + sections).filter { !$0.isEmpty }
      .joined(separator: "\n\n") + "\n"
  }

  private func section(_ section: ReportPage.Section) -> String {
    let blocks = section.blocks.map(block).filter { !$0.isEmpty }
    return blocks.isEmpty ? "" : style.bold(clean(section.heading)) + "\n\n" + blocks.joined(separator: "\n\n")
  }

  private func block(_ block: ReportPage.Block) -> String {
    if let text = block.paragraph { return style.dim(clean(text)) }
    if let table = block.table { return self.table(table) }
    if let listing = block.listing {
      return style.dim(clean(listing.caption)) + "\n" + listing.lines.map { "  " + clean($0) }.joined(separator: "\n")
    }
    let width = block.facts.map(\.name.count).max() ?? 0
    return block.facts.map { fact in
      clean(fact.name).padding(to: width) + "  " + clean(fact.value)
    }.joined(separator: "\n")
  }

  private func table(_ table: ReportPage.Table) -> String {
    var columns = Table(table.head.map { (clean($0.text), $0.isNumber ? .right : .left) })
    for row in table.rows { columns.append(row.cells.map { clean($0.text) }) }
    return columns.rendered(style: style) + "\n" + style.dim(clean(table.caption))
  }

  /// Texts come from servers and files: nothing in them is to move the cursor or to begin a line.
  private func clean(_ text: String) -> String {
    String(text.map { $0.isNewline ? " " : $0 }).escapingControls
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
