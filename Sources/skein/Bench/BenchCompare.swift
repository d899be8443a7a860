import ArgumentParser
import SkeinBench
import SkeinCore

/// Holds two reports of `bench serve` against each other.
struct BenchCompare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Shows in which settings and figures two reports of 'bench serve' differ.",
        discussion: """
            Settings that differ come first: figures of two different loads say little. A figure \
            is within noise where it changed by at most 5 %, or where the 95 % intervals of both \
            reports overlap.
            """)

    @Argument(help: "The report of the first measurement, from --result-file or --json.")
    var before: String

    @Argument(help: "The report of the second measurement.")
    var after: String

    @Flag(help: "Show every figure, not only those that tell most.")
    var all = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let comparison = try ServingComparison(
            before: try ServingComparison.report(path: before),
            after: try ServingComparison.report(path: after))
        try Console.standardOutput(json ? comparison.json.text : comparison.table(isWhole: all))
    }
}
