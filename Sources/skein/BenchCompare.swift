import ArgumentParser
import SkeinBench
import SkeinCore

/// Holds two reports of `bench serve` against each other.
struct BenchCompare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Shows the figures of two reports of 'bench serve' and their ratios.")

    @Argument(help: "The report of the first measurement, from --result-file or --json.")
    var before: String

    @Argument(help: "The report of the second measurement.")
    var after: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let comparison = try ServingComparison(
            before: try ServingComparison.report(path: before),
            after: try ServingComparison.report(path: after))
        try Console.standardOutput(json ? comparison.json.text : comparison.table)
    }
}
