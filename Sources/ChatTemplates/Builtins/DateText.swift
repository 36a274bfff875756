import Foundation

/// Dates as C's `strftime` writes them in the C locale.
enum DateText {
  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  static func formatted(_ date: Date, _ format: Text, in timeZone: TimeZone) throws(ChatTemplateError) -> Text {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = timeZone
    let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second, .weekday], from: date)
    let day = calendar.ordinality(of: .day, in: .year, for: date) ?? 1
    let fields = Fields(
      year: parts.year ?? 0, month: parts.month ?? 1, day: parts.day ?? 1, hour: parts.hour ?? 0,
      minute: parts.minute ?? 0, second: parts.second ?? 0, weekday: (parts.weekday ?? 1) - 1, dayOfYear: day)
    var output: [Unicode.Scalar] = []
    var scalars = format.scalars[...]
    while let scalar = scalars.popFirst() {
      guard scalar == "%", var code = scalars.popFirst() else {
        output.append(scalar)
        continue
      }
      var padding: Unicode.Scalar?
      if code == "-" || code == "_" || code == "0", let next = scalars.popFirst() {
        padding = code
        code = next
      }
      output.append(contentsOf: try field(code, padding, fields).unicodeScalars)
    }
    return Text(scalars: output)
  }

  private struct Fields {
    let year: Int
    let month: Int
    let day: Int
    let hour: Int
    let minute: Int
    let second: Int
    let weekday: Int
    let dayOfYear: Int
  }

  private static func field(
    _ code: Unicode.Scalar, _ padding: Unicode.Scalar?, _ fields: Fields
  )
    throws(ChatTemplateError) -> String
  {
    func padded(_ value: Int, _ width: Int, _ standard: Unicode.Scalar = "0") -> String {
      let digits = String(value)
      let fill = padding ?? standard
      if fill == "-" || digits.count >= width { return digits }
      return String(repeating: fill == "_" ? " " : String(fill), count: width - digits.count) + digits
    }
    let hour12 = (fields.hour + 11) % 12 + 1
    switch code {
    case "Y": return String(fields.year)
    case "y": return padded(fields.year % 100, 2)
    case "m": return padded(fields.month, 2)
    case "d": return padded(fields.day, 2)
    case "e": return padded(fields.day, 2, "_")
    case "j": return padded(fields.dayOfYear, 3)
    case "H": return padded(fields.hour, 2)
    case "I": return padded(hour12, 2)
    case "M": return padded(fields.minute, 2)
    case "S": return padded(fields.second, 2)
    case "p": return fields.hour < 12 ? "AM" : "PM"
    case "B": return months[fields.month - 1]
    case "b", "h": return String(months[fields.month - 1].prefix(3))
    case "A": return days[fields.weekday]
    case "a": return String(days[fields.weekday].prefix(3))
    case "u": return String(fields.weekday == 0 ? 7 : fields.weekday)
    case "w": return String(fields.weekday)
    case "F": return "\(fields.year)-\(padded(fields.month, 2))-\(padded(fields.day, 2))"
    case "T": return "\(padded(fields.hour, 2)):\(padded(fields.minute, 2)):\(padded(fields.second, 2))"
    case "R": return "\(padded(fields.hour, 2)):\(padded(fields.minute, 2))"
    case "n": return "\n"
    case "t": return "\t"
    case "%": return "%"
    default: throw .unsupported("the date format '%\(code)' is not supported")
    }
  }
}
