internal import Foundation
public import SkeinCore

/// Judges an answer by what its prompt's row expects: 1 where it is right, else 0.
public enum AnswerCheck: Equatable, Sendable {
    /// The kinds, by the names that a command line gives them.
    public enum Kind: String, CaseIterable, Sendable {
        /// The answer is the expected text, blanks at both ends aside.
        case exact
        /// The last number of the answer is the last number of the expected text.
        case numeric
        /// The expected text, a regular expression, is found in the answer.
        case regex
        /// The answer is one JSON document, and the expected one where the row has one.
        case json
    }

    /// The answer must be this text.
    case exact(String)
    /// Its last number must be this one.
    case numeric(Double)
    /// This pattern must be found in it.
    case regex(String)
    /// It must be JSON, and this value.
    case json(JSONValue?)

    /// Two numbers that differ by less than this share of the larger are equal: answers are
    /// rounded.
    private static let numericTolerance = 1e-6

    /// Prepares the check of one row.
    ///
    /// - Parameters:
    ///   - kind: how answers are judged.
    ///   - expected: what the row says.
    ///   - place: the row and its field, for refusals.
    /// - Throws: a `Refusal` where the row does not say what this kind of check needs.
    public init(_ kind: Kind, expected: JSONValue?, place: String) throws(Refusal) {
        switch kind {
        case .exact:
            guard let text = Self.text(expected) else {
                throw Self.refusal(place, expected, "a text")
            }
            self = .exact(Self.trimmed(text))
        case .numeric:
            guard let text = Self.text(expected), let number = NumberScan.last(in: text) else {
                throw Self.refusal(place, expected, "a number, or a text that ends with one")
            }
            self = .numeric(number)
        case .regex:
            guard let pattern = expected?.string, Self.expression(pattern) != nil else {
                throw Self.refusal(place, expected, "a regular expression")
            }
            self = .regex(pattern)
        case .json:
            guard let text = expected?.string else {
                self = .json(expected?.canonical)
                return
            }
            self = .json(try JSONValue(parsing: text, subject: place).canonical)
        }
    }

    /// The reward of an answer.
    ///
    /// - Parameter answer: its text, without thinking.
    public func reward(of answer: String) -> Double { isRight(answer) ? 1 : 0 }

    private func isRight(_ answer: String) -> Bool {
        switch self {
        case .exact(let text): return Self.trimmed(answer) == text
        case .numeric(let wanted):
            guard let number = NumberScan.last(in: answer) else { return false }
            let size = max(abs(number), abs(wanted))
            return number == wanted || abs(number - wanted) < size * Self.numericTolerance
        case .regex(let pattern):
            let whole = NSRange(answer.startIndex..., in: answer)
            return Self.expression(pattern)?.firstMatch(in: answer, range: whole) != nil
        case .json(let wanted):
            do throws(Refusal) {
                let value = try JSONValue(
                    parsing: Self.unfenced(answer), subject: "answer", rules: .lenient)
                return wanted == nil || value.canonical == wanted
            } catch {
                return false
            }
        }
    }

    private static func refusal(
        _ place: String, _ found: JSONValue?, _ wanted: String
    ) -> Refusal {
        Refusal(place, "found \(found?.summary ?? "nothing"), expected \(wanted)")
    }

    /// A text, or the spelling of a number.
    private static func text(_ value: JSONValue?) -> String? {
        if case .number(let spelling)? = value { return spelling }
        return value?.string
    }

    private static func trimmed(_ text: String) -> String {
        text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func expression(_ pattern: String) -> NSRegularExpression? {
        do { return try NSRegularExpression(pattern: pattern) } catch { return nil }
    }

    /// The inside of a fenced block, where the whole answer is one.
    private static func unfenced(_ answer: String) -> String {
        let text = trimmed(answer)
        guard text.hasPrefix("```"), text.hasSuffix("```"), text.count > 6,
            let lineEnd = text.firstIndex(where: \.isNewline)
        else { return text }
        return String(text[lineEnd...].dropLast(3))
    }
}
