import Foundation
import SkeinCore
import SkeinMembership
import SkeinText

/// Shows findings: for people a table and one verdict line, for programs one JSON object.
struct HealthDisplay: Sendable {
    let isJSON: Bool

    /// Shows the one finding of a run; why nothing could be told goes to standard error.
    func show(_ finding: HealthFinding) throws(Refusal) {
        if isJSON { return try Console.standardOutput(Self.json(finding) + "\n") }
        if let table = finding.table {
            try Console.standardOutput(table.title + "\n" + table.text + "\n")
        }
        if finding.verdict != nil {
            try Console.standardOutput(Self.line(finding) + "\n")
        }
        if let trouble = finding.trouble {
            let isError = finding.verdict == nil
            Console.standardError("skein: \(isError ? "error: " : "")\(trouble)")
        }
    }

    /// Shows one of many findings: redrawn on a terminal, else a line with its time.
    func showAgain(_ finding: HealthFinding) throws(Refusal) {
        if isJSON { return try Console.standardOutput(Self.json(finding) + "\n") }
        let time = ISO8601DateFormatter().string(from: Date())
        guard isatty(STDOUT_FILENO) == 1 else {
            return try Console.standardOutput("\(time) \(Self.line(finding))\n")
        }
        let table = finding.table.map { $0.title + "\n" + $0.text + "\n" } ?? ""
        let clear = "\u{1B}[H\u{1B}[2J"
        try Console.standardOutput(
            clear + table + "\(time) \(Self.line(finding))\n(Ctrl-C ends)\n")
    }

    /// The verdict and its reasons in one line.
    private static func line(_ finding: HealthFinding) -> String {
        guard let verdict = finding.verdict else {
            return "could not tell: \(finding.trouble?.description ?? "")"
        }
        let word = verdict.level == .healthy ? "healthy" : verdict.level.rawValue
        if !verdict.reasons.isEmpty {
            return "\(word): " + verdict.reasons.joined(separator: "; ")
        }
        guard let seconds = finding.probeSeconds else { return word }
        return "\(word): a token went through every stage in \(ClusterTable.seconds(seconds))"
    }

    /// One object on one line.
    private static func json(_ finding: HealthFinding) -> String {
        let reasons = finding.verdict?.reasons ?? [finding.trouble?.description ?? ""]
        let members: [JSONValue.Member] = [
            .init("status", .string(finding.verdict?.level.rawValue ?? "unknown")),
            .init("exit_code", .number("\(finding.exitCode)")),
            .init("reasons", .array(reasons.map { .string($0) })),
            .init("asked", .string(finding.asked)),
            .init("cluster", finding.table == nil ? .null : finding.answer ?? .null),
        ]
        return JSONValue.object(members).pythonText
    }
}
