import ArgumentParser
import Foundation
import SkeinCluster
import SkeinCore

/// Says whether a cluster serves, and shows its nodes.
struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says whether a cluster serves, and shows its nodes.",
        discussion: """
            Asks the head over HTTP; before it says healthy it has pushed a token through every \
            stage. Exit codes: 0 healthy, 1 degraded, 2 down or loading (and, as with every \
            command, wrong usage), 3 could not tell. With --watch, the code of the last verdict.
            """)

    @Option(help: "The cluster file, whose http address is asked.")
    var cluster: String?

    @Option(help: "The head's address, for example http://10.0.0.1:8080.")
    var url: String?

    @Flag(help: "Go on until Ctrl-C: redrawn on a terminal, a line each time in a log.")
    var watch = false

    @Option(help: "Seconds between two looks with --watch.")
    var interval = 2.0

    @Flag(help: "Print one JSON object; with --watch one a line.")
    var json = false

    @OptionGroup var head: HeadOptions

    func validate() throws {
        guard (cluster == nil) != (url == nil) else {
            throw ValidationError("expected either --cluster or --url")
        }
        guard interval >= 0.1, interval <= 86_400 else {
            throw ValidationError("--interval: expected 0.1 to 86400, found \(interval)")
        }
        if let url { try HeadOptions.check(url: url) }
    }

    func run() async throws {
        let client: HeadClient
        do throws(Refusal) {
            client = try head.client(of: try address())
        } catch {
            let finding = HealthFinding(unknown: error, asked: cluster ?? "")
            try HealthDisplay(isJSON: json).show(finding)
            throw ExitCode(finding.exitCode)
        }
        let code: Int32
        if watch {
            let display = HealthDisplay(isJSON: json)
            code = try await Self.watch(client, display: display, every: interval)
        } else {
            let finding = await HealthFinding(asking: client)
            await client.close()
            try HealthDisplay(isJSON: json).show(finding)
            code = finding.exitCode
        }
        throw ExitCode(code)
    }

    private func address() throws(Refusal) -> HeadAddress {
        if let url { return try HeadAddress(parsing: url, subject: "--url") }
        return try HeadAddress(clusterFile: cluster ?? "")
    }

    /// Looks again and again until the program is interrupted.
    ///
    /// - Returns: the exit code of the last verdict.
    private static func watch(
        _ client: HeadClient, display: HealthDisplay, every interval: Double
    ) async throws -> Int32 {
        let last = LastVerdict()
        try await Interruptible.run {
            while !Task.isCancelled {
                let finding = await HealthFinding(asking: client)
                // An answer that the interrupt has cut off says nothing about the cluster.
                if Task.isCancelled { break }
                last.note(finding)
                try display.showAgain(finding)
                do { try await Task.sleep(for: .seconds(interval)) } catch { break }
            }
        }
        await client.close()
        return last.exitCode
    }
}
