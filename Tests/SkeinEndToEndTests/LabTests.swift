import Foundation
import Testing

/// `cluster/lab`: hosts out of network namespaces, wires with a delay, a cluster over them.
@Suite(
    .serialized,
    .enabled(if: LabHosts.arePermitted, "this machine does not let us make network namespaces"))
struct LabTests {
    private static let lab = SkeinProgram.root.appending(path: "cluster/lab/lab").path()

    @Test(.timeLimit(.minutes(3)))
    func theWiresKeepTheirDelayAndAClusterFeelsIt() async throws {
        let run = try await RunningProgram(
            command: [Self.lab, "test", "--program", SkeinProgram.executable]
        ).finish(secondsMax: 120)
        #expect(run.status == 0, "\(run.errors)")
        // A machine without devices for the relay has namespaces all the same.
        if !run.errors.contains("lab: skipped: ") {
            let row = try run.json()
            #expect(try #require(row["hidden_communication_share"] as? Double) <= 1)
            #expect(try #require(row["output_tokens_per_second"] as? Double) > 0)
        }
    }

    @Test(.timeLimit(.minutes(3)), arguments: [SIGINT, SIGTERM])
    func aLabThatIsInterruptedLeavesNothingBehind(signal: Int32) async throws {
        let run = try RunningProgram(command: [
            Self.lab, "bench", "--program", SkeinProgram.executable, "--delays", "5", "--streams",
            "4", "--new-tokens", "900",
        ])
        guard await run.waitForError(containing: "hosts are up") else {
            #expect(run.errors.contains("lab: skipped: "), "\(run.errors)")
            return
        }
        let line = try #require(
            run.errors.split(separator: "\n").first { $0.contains("hosts are up") })
        let name = try #require(line.split(separator: " ").dropFirst().first.map(String.init))
        run.signal(signal)
        let end = try await run.finish(secondsMax: 30)
        #expect(end.status == 128 + signal, "\(end.errors)")
        let list = try await RunningProgram(command: ["ip", "netns", "list"]).finish(secondsMax: 5)
        #expect(!list.output.contains(name), "\(list.output)")
    }
}
