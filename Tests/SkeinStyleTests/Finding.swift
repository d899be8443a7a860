import Testing

/// A place where the house's rules do not hold, with what is wanted instead.
struct Finding: Equatable, CustomStringConvertible {
    let path: String
    let line: Int
    let rule: String

    /// The line that a person clicks on.
    var description: String { "\(path):\(line): \(rule)" }

    /// Fails the running test once for every finding.
    static func expectNone(_ findings: [Finding]) {
        for finding in findings { Issue.record(Comment(rawValue: finding.description)) }
    }
}
