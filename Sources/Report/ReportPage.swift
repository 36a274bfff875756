/// A report before it is written as HTML, as Markdown or for a terminal: what it says, not how it looks.
///
/// All texts are plain; whoever writes them out escapes them.
package struct ReportPage: Sendable {
  /// A figure worth reading first.
  struct Tile: Sendable {
    let label, value, detail: String
  }

  struct Cell: Sendable {
    let text: String
    let isNumber: Bool
  }

  struct Row: Sendable {
    let cells: [Cell]
    /// Whether the row is what the report recommends.
    let isChosen: Bool
  }

  /// Figures by row and column: first columns of words, then of numbers.
  package struct Table: Sendable {
    /// Empty for a table that says it all.
    let caption: String
    let head: [Cell]
    private(set) var rows: [Row] = []

    package init(_ caption: String, _ words: [String] = [], numbers: [String]) {
      self.caption = caption
      head = words.map { Cell(text: $0, isNumber: false) } + numbers.map { Cell(text: $0, isNumber: true) }
    }

    /// Adds a row; what is not known is a dash.
    package mutating func add(_ cells: [String?], isChosen: Bool = false) {
      rows.append(
        Row(
          cells: zip(cells, head).map { Cell(text: $0 ?? "–", isNumber: $1.isNumber) }, isChosen: isChosen))
    }
  }

  /// Text to copy.
  struct Listing: Sendable {
    let caption: String
    let lines: [String]
  }

  struct Fact: Sendable {
    let name, value: String
  }

  /// One thing within a section; exactly one of the properties is set.
  package struct Block: Sendable {
    var paragraph: String?
    var charts: [Chart] = []
    var table: Table?
    var listing: Listing?
    var facts: [Fact] = []
    /// Templates ask only for stored properties.
    private(set) var hasCharts = false
    private(set) var hasFacts = false

    package static func paragraph(_ text: String) -> Block { Block(paragraph: text) }
    static func charts(_ charts: [Chart]) -> Block { Block(charts: charts, hasCharts: !charts.isEmpty) }
    package static func table(_ table: Table) -> Block { Block(table: table) }
    static func listing(_ caption: String, _ lines: [String]) -> Block {
      Block(listing: Listing(caption: caption, lines: lines))
    }
    package static func facts(_ facts: [(name: String, value: String)]) -> Block {
      Block(facts: facts.map { Fact(name: $0.name, value: $0.value) }, hasFacts: !facts.isEmpty)
    }
  }

  /// A part with a heading.
  package struct Section: Sendable {
    let heading: String
    var blocks: [Block]

    package init(heading: String, blocks: [Block]) { (self.heading, self.blocks) = (heading, blocks) }
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
