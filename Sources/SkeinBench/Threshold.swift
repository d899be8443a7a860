internal import Foundation
public import SkeinCore

/// What a figure of a report must reach, or must not exceed.
///
/// Thresholds are ratios within one run: absolute figures differ from machine to machine.
public struct Threshold: Equatable, Sendable {
    /// The figure's name in the report's JSON.
    public let figure: String
    /// The least that is good enough, if anything is.
    public let atLeast: Double?
    /// The most that is good enough, if anything is.
    public let atMost: Double?

    /// Reads a file of the form `{"batching_gain": {"at_least": 3}, …}`.
    ///
    /// - Throws: a `Refusal` that names the file and the figure.
    public static func read(file path: String) throws(Refusal) -> [Threshold] {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Refusal(path, "cannot be read, expected a file of thresholds")
        }
        let file = try JSONValue(parsing: Array(bytes), subject: path)
        guard let members = file.fields, !members.isEmpty else {
            throw Refusal(path, "expected an object with a member for each figure")
        }
        var thresholds: [Threshold] = []
        for (figure, bounds) in members.sorted(by: { $0.key < $1.key }) {
            let atLeast = bounds["at_least"]?.double
            let atMost = bounds["at_most"]?.double
            guard atLeast != nil || atMost != nil else {
                throw Refusal("\(path): \(figure)", "expected at_least or at_most, a number")
            }
            thresholds.append(Threshold(figure: figure, atLeast: atLeast, atMost: atMost))
        }
        return thresholds
    }

    /// Compares a report's figures; each line of the answer is a miss.
    public static func misses(
        of thresholds: [Threshold], in report: some Encodable
    ) throws -> [String] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let figures = try JSONValue(
            parsing: Array(try encoder.encode(report)), subject: "report")
        return thresholds.compactMap { $0.miss(figures[$0.figure]?.double) }
    }

    private func miss(_ value: Double?) -> String? {
        guard let value else { return "\(figure): is not in the report" }
        let found = String(format: "%.3f", value)
        if let atLeast, value < atLeast {
            return "\(figure): found \(found), expected at least \(atLeast)"
        }
        if let atMost, value > atMost {
            return "\(figure): found \(found), expected at most \(atMost)"
        }
        return nil
    }
}
