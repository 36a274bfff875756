/// A report before it is written as HTML, as Markdown or for a terminal: what it says, not how it looks.
///
/// All texts are plain; whoever writes them out escapes them.
package struct ReportPage: Sendable {
  /// A figure worth reading first.
  package struct Tile: Sendable {
    package let label, value, detail: String

    package init(label: String, value: String, detail: String) {
      (self.label, self.value, self.detail) = (label, value, detail)
    }
  }

  package struct Cell: Sendable {
    package let text: String
    package let isNumber: Bool
  }

  package struct Row: Sendable {
    package let cells: [Cell]
    /// Whether the row is what the report recommends.
    package let isChosen: Bool
  }

  /// Figures by row and column: first columns of words, then of numbers.
  package struct Table: Sendable {
    /// Empty for a table that says it all.
    package let caption: String
    package let head: [Cell]
    package private(set) var rows: [Row] = []

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
  package struct Listing: Sendable {
    package let caption: String
    package let lines: [String]
  }

  package struct Fact: Sendable {
    package let name, value: String
  }

  /// One thing within a section; exactly one of the properties is set.
  package struct Block: Sendable {
    package var paragraph: String?
    package var charts: [Chart] = []
    /// How the charts are read; goes where they go.
    package var reading: String?
    package var table: Table?
    package var listing: Listing?
    package var facts: [Fact] = []
    /// Templates ask only for stored properties.
    package private(set) var hasCharts = false
    package private(set) var hasFacts = false

    package static func paragraph(_ text: String) -> Block { Block(paragraph: text) }
    package static func charts(_ charts: [Chart], reading: String? = nil) -> Block {
      Block(charts: charts, reading: reading, hasCharts: !charts.isEmpty)
    }
    package static func table(_ table: Table) -> Block { Block(table: table) }
    package static func listing(_ caption: String, _ lines: [String]) -> Block {
      Block(listing: Listing(caption: caption, lines: lines))
    }
    package static func facts(_ facts: [(name: String, value: String)]) -> Block {
      Block(facts: facts.map { Fact(name: $0.name, value: $0.value) }, hasFacts: !facts.isEmpty)
    }
  }

  /// What a reader opens on demand.
  package struct Details: Sendable {
    package let title: String
    package let blocks: [Block]
    /// Whether forms without charts show them unfolded.
    package let isOpenInText: Bool
  }

  /// A part with a heading.
  package struct Section: Sendable {
    package let heading: String
    package var blocks: [Block]
    /// Figures behind what `blocks` say, folded where the form can.
    package let details: Details?

    /// Whether the whole part is folded under its heading.
    package let isFolded: Bool

    /// A part; `details` are folded under `detailsTitle`.
    package init(
      heading: String, blocks: [Block], detailsTitle: String = "Figures", details: [Block] = [],
      isOpenInText: Bool = false
    ) {
      (self.heading, self.blocks, isFolded) = (heading, blocks, false)
      self.details = details.isEmpty ? nil : Details(title: detailsTitle, blocks: details, isOpenInText: isOpenInText)
    }

    /// A part that is folded under its heading.
    package init(folded heading: String, _ blocks: [Block]) {
      (self.heading, self.blocks, details, isFolded) = (heading, blocks, nil, true)
    }

    /// The same part, folded as a whole.
    package var folded: Section { Section(folded: heading, blocks + (details?.blocks ?? [])) }
  }

  /// Over everything.
  package var title: String
  /// When.
  package var subtitle: String
  /// Which models on which machine, in a sentence; `nil` without results.
  package var about: String?
  /// What came out, in a sentence or a few.
  package var summary: [String]
  package var tiles: [Tile]
  package var sections: [Section]

  package init(
    title: String, subtitle: String, about: String?, summary: [String], tiles: [Tile], sections: [Section]
  ) {
    (self.title, self.subtitle, self.about, self.summary) = (title, subtitle, about, summary)
    (self.tiles, self.sections) = (tiles, sections)
  }
}
