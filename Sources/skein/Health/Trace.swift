import ArgumentParser
import Foundation
import SkeinCore
import SkeinTelemetry
import SkeinText

/// Shows what every stage did, moment by moment.
struct Trace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what every stage did and waited for, moment by moment.",
        discussion: """
            Asks the head, which asks every node, and writes a file that ui.perfetto.dev opens: a \
            process for each node, a line for each stage, arrows along the way of each \
            micro-batch, and its rows and requests; all on the head's clock. Prints where the time \
            went.
            """)

    @Option(help: "The head's address, for example http://10.0.0.1:8080.")
    var url: String

    @Option(help: "Seconds to look at.")
    var seconds = 5.0

    @Option(help: "The file to write; without it only the summary is printed.")
    var out: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var head: HeadOptions

    func validate() throws {
        guard seconds >= 0.1, seconds <= Double(Limits.traceSecondsMax) else {
            throw ValidationError(
                "--seconds: expected 0.1 to \(Limits.traceSecondsMax), found \(seconds)")
        }
        try HeadOptions.check(url: url)
    }

    func run() async throws {
        if let out { try Console.checkWritable(out) }
        let trace = try await ask()
        Console.standardError(
            "\(trace.intervalCount) intervals of \(trace.nodes.count - 1) nodes, clocks within "
                + "\(Double(trace.clockErrorMicroseconds) / 1_000) ms")
        for node in trace.nodes where node.missedCount > 0 {
            Console.standardError("node \(node.name): \(node.missedCount) intervals are missing")
        }
        if let out {
            try ChromeTrace(trace).write(to: out)
        }
        let report = TraceReport(trace)
        if json { try Console.json(report) } else { try Console.standardOutput(report.text) }
    }

    private func ask() async throws -> ClusterTrace {
        let client = try head.client(of: try HeadAddress(parsing: url, subject: "--url"))
        Console.standardError("tracing \(client.address.text) for \(seconds) s")
        let answer: HeadClient.Answer
        do throws(Refusal) {
            var bounds = HeadClient.Bounds()
            bounds.isPost = true
            bounds.secondsMax += Int(seconds.rounded(.up))
            bounds.bytesMax = Limits.traceBytesMax
            answer = try await client.ask("/v1/trace?seconds=\(seconds)", within: bounds)
            await client.close()
        } catch {
            await client.close()
            throw error
        }
        guard answer.status == 200 else {
            let message = answer.value["error"]?["message"]?.string
            throw Refusal(
                client.address.text,
                "answered with status \(answer.status): "
                    + (message.map { String($0.prefix(200)) } ?? "without saying why"))
        }
        return try ClusterTrace(parsing: answer.value, subject: client.address.text)
    }
}

extension ChromeTrace {
    /// Writes the file, and says what to do with it.
    func write(to path: String) throws(Refusal) {
        try Console.write(text, to: path)
        Console.standardError("wrote \(path); open it at https://ui.perfetto.dev")
    }
}
