/// The values of `format` that are kept to; JSON Schema allows to pass over the others.
enum SchemaFormats {
  /// The expression for a format; `nil` for one that is passed over.
  static func expression(for name: String) -> String? {
    switch name {
    case "date": "^(\(date))$"
    case "time": "^\(time)$"
    case "date-time": "^(\(date))T\(time)$"
    case "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
    case "ipv4": "^\(octet)(\\.\(octet)){3}$"
    case "email": "^\(word)(\\.\(word))*@\(label)(\\.\(label))+$"
    case "hostname": "^\(label)(\\.\(label))*$"
    case "ipv6": "^(\(addresses))$"
    case "duration": "^P(\(days)(\(clock))?|\(clock)|[0-9]{1,4}W)$"
    default: nil
    }
  }

  private static let word = "[A-Za-z0-9_+-]{1,32}"
  private static let label = "[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
  private static let days =
    "([0-9]{1,4}D|[0-9]{1,4}M([0-9]{1,2}D)?|[0-9]{1,4}Y([0-9]{1,2}M([0-9]{1,2}D)?)?)"
  private static let clock =
    "T([0-9]{1,4}H([0-9]{1,2}M([0-9]{1,2}S)?)?|[0-9]{1,4}M([0-9]{1,2}S)?|[0-9]{1,4}S)"
  /// Eight groups, or fewer around one `::`.
  private static let addresses: String = {
    let group = "[0-9a-fA-F]{1,4}"
    let full = "(\(group):){7}\(group)|(\(group):){1,7}:|:((:\(group)){1,7}|:)"
    return (1...6).reduce(full) { $0 + "|(\(group):){1,\(7 - $1)}(:\(group)){1,\($1)}" }
  }()
  private static let octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
  private static let time =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
  /// Years from 1 on: calendars of most languages know no year 0.
  private static let year = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
  private static let leapYear = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
  private static let date =
    "\(year)-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    + "|\(leapYear)-02-29"
}
