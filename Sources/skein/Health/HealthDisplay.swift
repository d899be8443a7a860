import Foundation
import SkeinCore
import SkeinMembership

/// Shows findings: for people a table and one verdict line, for programs one JSON object.
struct HealthDisplay: Sendable {
    let isJSON: Bool

    var form = TerminalForm.standardOutput()

    /// Shows the one finding of a run; why nothing could be told goes to standard error.
    func show(_ finding: HealthFinding) throws(Refusal) {
        if isJSON { return try Console.standardOutput(Self.json(finding) + "\n") }
        let table = finding.table?.lines(in: form) ?? []
        let verdict = finding.level == nil ? [] : lines(finding)
        if !(table + verdict).isEmpty {
            try Console.standardOutput((table + verdict).joined(separator: "\n") + "\n")
        }
        if let trouble = finding.trouble {
            Console.standardError("skein: \(finding.level == nil ? "error: " : "")\(trouble)")
        }
    }

    /// Shows one of many findings: redrawn on a terminal, else a line with its time.
    func showAgain(_ finding: HealthFinding) throws(Refusal) {
        if isJSON { return try Console.standardOutput(Self.json(finding) + "\n") }
        let time = ISO8601DateFormatter().string(from: Date())
        guard isatty(STDOUT_FILENO) == 1 else {
            return try Console.standardOutput(
                "\(time) \(Self.sentences(finding).joined(separator: "; "))\n")
        }
        let table = finding.table?.lines(in: form) ?? []
        let text = (table + lines(finding) + ["\(time) (Ctrl-C ends)"]).joined(separator: "\n")
        try Console.standardOutput("\u{1B}[H\u{1B}[2J" + text + "\n")
    }

    /// The verdict and its first reason, then one line for each other reason.
    private func lines(_ finding: HealthFinding) -> [String] {
        var lines: [String] = []
        for (place, sentence) in Self.sentences(finding).enumerated() {
            let indented = place == 0 ? sentence : "  " + sentence
            lines += form.wrapped(indented, indentation: 4)
        }
        let word = Self.word(finding)
        if let first = lines.first, first.hasPrefix(word) {
            lines[0] = form.coloured(word, Self.colour(finding)) + first.dropFirst(word.count)
        }
        return lines
    }

    private static func word(_ finding: HealthFinding) -> String {
        guard let level = finding.level else { return "could not tell" }
        return level == .healthy ? "healthy" : level.rawValue
    }

    private static func colour(_ finding: HealthFinding) -> TerminalForm.Colour {
        switch finding.level {
        case .healthy: .green
        case .degraded, .loading: .yellow
        case .down, nil: .red
        }
    }

    /// The verdict with its first reason, and the other reasons.
    private static func sentences(_ finding: HealthFinding) -> [String] {
        let word = word(finding)
        guard finding.level != nil else {
            return ["\(word): \(finding.trouble?.description ?? "")"]
        }
        if let first = finding.reasons.first {
            return ["\(word): \(first.text)"] + finding.reasons.dropFirst().map(\.text)
        }
        guard let seconds = finding.probeSeconds else { return [word] }
        return ["\(word): a token went through every stage in \(ClusterTable.seconds(seconds))"]
    }

    /// One object on one line.
    static func json(_ finding: HealthFinding) -> String {
        var reasons = finding.reasons
        if finding.level == nil {
            reasons = [.init(code: "no_answer", text: finding.trouble?.description ?? "")]
        }
        func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        let details = reasons.map { reason in
            JSONValue.object([
                .init("code", text(reason.code)), .init("node", text(reason.node)),
                .init("reason", .string(reason.text)),
            ])
        }
        let members: [JSONValue.Member] = [
            .init("status", .string(finding.level?.rawValue ?? "unknown")),
            .init("exit_code", .number("\(finding.exitCode)")),
            .init("reasons", .array(reasons.map { .string($0.text) })),
            .init("details", .array(details)), .init("asked", .string(finding.asked)),
            .init("cluster", finding.table == nil ? .null : finding.answer ?? .null),
        ]
        return JSONValue.object(members).pythonText
    }
}
