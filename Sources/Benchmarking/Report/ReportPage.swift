/// A report before it is written as HTML or Markdown: what it says, not how it looks.
///
/// All texts are plain; whoever writes them out escapes them.
struct ReportPage: Sendable {
  /// A figure worth reading first.
  struct Tile: Sendable {
    let label, value, detail: String
  }

  /// A cell of a table.
  struct Cell: Sendable {
    let text: String
    var isNumber = false
  }

  /// A row of a table.
  struct Row: Sendable {
    let cells: [Cell]
    /// Whether the row is what the report recommends.
    var isChosen = false
  }

  /// Figures by row and column.
  struct Table: Sendable {
    let caption: String
    let head: [Cell]
    let rows: [Row]
  }

  /// Text to copy.
  struct Listing: Sendable {
    let caption: String
    let lines: [String]
  }

  /// A name and what it stands for.
  struct Fact: Sendable {
    let name, value: String
  }

  /// One thing within a section; exactly one of the properties is set.
  struct Block: Sendable {
    var paragraph: String?
    var charts: [Chart] = []
    var table: Table?
    var listing: Listing?
    var facts: [Fact] = []
    /// Templates ask only for stored properties.
    private(set) var hasCharts = false
    private(set) var hasFacts = false

    static func paragraph(_ text: String) -> Block { Block(paragraph: text) }
    static func charts(_ charts: [Chart]) -> Block { Block(charts: charts, hasCharts: !charts.isEmpty) }
    static func table(_ table: Table) -> Block { Block(table: table) }
    static func listing(_ listing: Listing) -> Block { Block(listing: listing) }
    static func facts(_ facts: [Fact]) -> Block { Block(facts: facts, hasFacts: !facts.isEmpty) }
  }

  /// A part with a heading.
  struct Section: Sendable {
    let heading: String
    var blocks: [Block]
  }

  /// Over everything.
  var title: String
  /// When and where.
  var subtitle: String
  /// What came out, in a sentence or a few.
  var summary: [String]
  var tiles: [Tile]
  var sections: [Section]
}
