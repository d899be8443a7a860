import ArgumentParser
import SkeinBench
import SkeinCore

/// What the figures of a bench must reach.
struct BenchThresholdOptions: ParsableArguments {
    @Option(help: "A file of what the figures must reach; exit 1 where one does not.")
    var thresholds: String?

    @Option(help: "Runs at most, until one meets the thresholds: others may use the machine.")
    var attempts = 1

    func validate() throws {
        guard (1...10).contains(attempts) else {
            throw ValidationError("--attempts: expected 1 to 10, found \(attempts)")
        }
    }

    /// The bounds, with their file read.
    ///
    /// - Throws: a `Refusal` that names the file.
    func bounds() throws(Refusal) -> BenchBounds {
        BenchBounds(
            path: thresholds, attemptsMax: attempts,
            thresholds: try thresholds.map { path throws(Refusal) in
                try Threshold.read(file: path)
            } ?? [])
    }
}

/// The bounds of a bench, and how often it may try to keep them.
struct BenchBounds: Sendable {
    /// A report, and in which figures it missed the bounds.
    typealias Outcome<Report> = (report: Report, misses: [String])

    fileprivate let path: String?
    fileprivate let attemptsMax: Int
    fileprivate let thresholds: [Threshold]

    /// Measures until the bounds are kept, or as often as is allowed.
    ///
    /// - Parameter run: measures once; it is given the number of the attempt, from 1.
    /// - Returns: the last report.
    func measure<Report: Encodable>(
        _ run: (_ attempt: Int) async throws -> Report
    ) async throws -> Outcome<Report> {
        var attempt = 1
        while true {
            let report = try await run(attempt)
            let misses = try Threshold.misses(of: thresholds, in: report)
            if misses.isEmpty || attempt == attemptsMax { return (report, misses) }
            Console.standardError("attempt \(attempt): " + misses.joined(separator: "; "))
            attempt += 1
        }
    }

    /// - Throws: a `Refusal` that names the file and every figure that missed its bound.
    func check(_ misses: [String]) throws(Refusal) {
        guard misses.isEmpty else {
            throw Refusal(path ?? "thresholds", misses.joined(separator: "; "))
        }
    }
}
