/// Workloads that come with the program.
package enum BuiltInWorkload: String, Sendable, CaseIterable {
  /// Answers whose form the prompt fixes: where speculation pays.
  case structured
  /// Answers that could go anywhere: where it pays least.
  case openEnded = "open-ended"
  /// The recipe of AWS's measurement of speculative decoding on Trainium2 (April 2026).
  case awsTrainium2 = "aws-trainium2"

  /// What a workload asks for unless the command line says otherwise.
  package struct Defaults: Sendable, Equatable {
    package let requestsPerCategory, outputTokens, maximumConcurrency: Int
    /// Whether answers go on past the end of the text, so that all are of one length.
    package let ignoresEndOfText: Bool
  }

  package var defaults: Defaults {
    switch self {
    case .structured, .openEnded:
      Defaults(requestsPerCategory: 8, outputTokens: 256, maximumConcurrency: 4, ignoresEndOfText: false)
    case .awsTrainium2:
      Defaults(requestsPerCategory: 8, outputTokens: 600, maximumConcurrency: 4, ignoresEndOfText: true)
    }
  }

  /// Prompts by category, in the order in which they are reported.
  package var prompts: [(category: String, prompts: [String])] {
    switch self {
    case .structured: Self.structuredPrompts
    case .openEnded: Self.openEndedPrompts
    case .awsTrainium2: AWSTrainium2Recipe.cases.map { ($0.name, [$0.phrase]) }
    }
  }

  /// `count` requests spread evenly over the categories; a category's prompts come round again when there are more.
  ///
  /// - Parameters:
  ///   - count: of all requests; `nil` for the default per category.
  ///   - outputTokens: of each answer; `nil` for the default.
  package func workload(count: Int? = nil, outputTokens: Int? = nil) -> Workload {
    let total = count ?? defaults.requestsPerCategory * prompts.count
    let requests = prompts.enumerated().flatMap { place, kind in
      (0..<Workload.share(of: total, at: place, among: prompts.count)).map { turn in
        WorkloadRequest(
          category: kind.category, prompt: .text(kind.prompts[turn % kind.prompts.count]),
          outputTokens: outputTokens ?? defaults.outputTokens, ignoresEndOfText: defaults.ignoresEndOfText)
      }
    }
    return Workload(name: rawValue, requests: requests)
  }

  private static let structuredPrompts: [(category: String, prompts: [String])] = [
    (
      "json",
      [
        "Write a JSON record for a person: Clara Weber, 34 years old, designer from Vienna.",
        "Output valid JSON for order 5708: customer Leo Brown, date 2020-03-26, items 3 x Wireless Monitor, "
          + "3 x Premium Umbrella and 3 x Compact Charger.",
        "Write a JSON record for a product: Compact Keyboard, wood, price 145.99, 257 in stock, tags travel and gift.",
        "Turn this order into JSON: order 7108 for Ravi Zimmer, 2022-08-14, 3 x Solar Blender.",
        "Create a JSON object for Mira Green, aged 52, who works as a consultant in Brussels.",
        "Give me the product Wireless Lamp as JSON: material glass, price 61.95, stock 260, tags home and office.",
        "Output valid JSON for order 7583: customer Otto King, date 2022-01-19, items 2 x Silent Bottle and "
          + "1 x Compact Speaker.",
        "Write a JSON record for a person: Julia Turner, 47 years old, developer from Amsterdam.",
      ]
    ),
    (
      "code",
      [
        "Write a Python function that returns all orders with price above 50.",
        "Write a Python function that computes the average date of a list of invoices.",
        "Write a Swift struct Ticket with age (Int), owner (String), price (Double), title (Double).",
        "Write a JavaScript function that returns the users with age above 82.",
        "Write a Python class for a task with count, rank, total and price.",
        "Write a simple Python function that filters users by height at most 5.",
        "Write a Python function add that returns the sum of m and z.",
        "Write a JavaScript function that returns the records with width above 49.",
      ]
    ),
    (
      "list",
      [
        "List the planets.", "List the numbers from 18 to 27.", "Write a numbered list of 7 fruits.",
        "List the numbers from 34 to 53 in words.", "Give me five colours as a numbered list.",
        "List the numbers from 44 to 124 in steps of 10.", "Write a numbered list of 7 musical instruments.",
        "Write out the numbers from fifteen to thirty-five.",
      ]
    ),
    (
      "email",
      [
        "Write an email from Anna to Felix to set up a meeting about the annual report on Tuesday at 10:30.",
        "Write a confirmation email to Carlos for order 1662: Silent Backpack, delivery on 6 October.",
        "Hugo must tell Theo that project Lighthouse is late and will be ready on 7 December. Write the email.",
        "Write a short email: Samuel invites Bruno to a meeting about the customer survey, Monday at 12:30.",
        "Write an email from Yusuf to Mina: project Falcon is delayed until 19 September.",
        "Write an email from Liam to Joshua to set up a meeting about the security review on Friday at 10:00.",
        "Write a confirmation email to Zara for order 3288: Wireless Keyboard, delivery on 27 July.",
        "Zoe must tell Viola that project Aurora is late and will be ready on 18 December. Write the email.",
      ]
    ),
    (
      "extraction",
      [
        "Extract the facts as JSON: On Saturday at 14:00, Xenia Young is in Copenhagen to talk about the quarterly "
          + "budget.",
        "Read the contact details and return JSON: Tomas Morgan from Nova Works can be reached at +49 218 990174, "
          + "Hill Road 60, Seattle.",
        "Extract person, city, day, time and topic as JSON from this text: The meeting about the annual report is on "
          + "Friday at 14:30 in Leipzig, led by Diego Meyer.",
        "Extract the contact as JSON: Mina Okafor from Silver Foods can be reached at +49 313 857080, Mill Lane 98, "
          + "Toronto.",
        "Extract the facts as JSON: The meeting about the hiring plan is on Tuesday at 12:15 in Prague, led by Gloria "
          + "Engel.",
        "Read the contact details and return JSON: Paula Novak from Clear Works can be reached at +49 345 491134, "
          + "Oak Street 95, Montreal.",
        "Extract person, city, day, time and topic as JSON from this text: On Friday at 8:30, Yusuf Nelson is in "
          + "Austin to talk about the release plan.",
        "Extract the facts as JSON: On Saturday at 17:30, Karim Jansen is in Helsinki to talk about the marketing "
          + "campaign.",
      ]
    ),
  ]

  private static let openEndedPrompts: [(category: String, prompts: [String])] = [
    (
      "story",
      [
        "Write a story that begins at the old harbour with a stranger.",
        "Tell me a story about the captain and a broken clock.",
        "Write a short story set at a quiet village.",
        "Tell me a story about a painter and the first snow.",
        "Write a story that begins at the city library with a child with a red coat.",
        "Tell me a story about the gardener and the smell of rain.",
        "Write a story that begins at the kitchen of an inn with the old woman.",
        "Tell me a story about the musician and the letter.",
      ]
    ),
    (
      "opinion",
      [
        "What do you think about winter?", "What do you think about friendship?",
        "What do you think about working from home?", "What do you think about old houses?",
        "What makes a good teacher, in your opinion?", "Is it better to live in a city or in the country, and why?",
        "What do you think about reading the last page of a book first?",
        "Should people learn to cook? Say what you think.",
      ]
    ),
    (
      "brainstorm",
      [
        "Think of unusual names for a small bakery by the sea, and say why each would work.",
        "Brainstorm ideas for a rainy weekend with two children.",
        "Come up with ways in which a town could use an empty railway station.",
        "Write a few lines about old houses.",
        "Think of questions to ask a stranger on a long train ride.",
        "Come up with a holiday that does not exist yet, and how people would celebrate it.",
        "Brainstorm ideas for a short film without any words.",
        "Think of new uses for a lighthouse that no ship needs any more.",
      ]
    ),
  ]
}
