import Foundation
import Testing

/// `bench pipeline` with remote experts: what a step computes, and what it waits for them.
@Suite(.serialized) struct BenchPipelineTests {
    private static func stages(_ arguments: [String]) async throws -> [[String: Any]] {
        let run = try await SkeinProgram.run(
            [
                "bench", "pipeline", "--model", SkeinProgram.gosling, "--stages", "2",
                "--concurrency", "4", "--prompt-tokens", "8", "--new-tokens", "48", "--threads",
                "1", "--json",
            ] + arguments)
        try #require(run.status == 0, "\(run.errors)")
        return try #require(try run.json()["stages"] as? [[String: Any]])
    }

    private static func number(_ stage: [String: Any], _ field: String) throws -> Double {
        try #require(stage[field] as? Double, "\(field)")
    }

    @Test(.timeLimit(.minutes(2)), arguments: [[], ["--processes"]])
    func waitsForExpertsAreToldApartFromCompute(arguments: [String]) async throws {
        let stages = try await Self.stages(["--experts", "2"] + arguments)
        #expect(stages.count == 2)
        for stage in stages {
            #expect(try Self.number(stage, "step_ms") > 0)
            #expect(try Self.number(stage, "expert_wait_ms") > 0)
            for share in ["busy_share", "bubble_share", "hidden_communication_share"] {
                #expect((0...1).contains(try Self.number(stage, share)), "\(stage)")
                #expect((0...1).contains(try Self.number(stage, "predicted_" + share)), "\(stage)")
            }
        }
        let busy = try stages.map { try Self.number($0, "predicted_busy_share") }
        let bubbles = try stages.map { try Self.number($0, "predicted_bubble_share") }
        // Apart, a stage's threads are its own; in one process both stages share them.
        let works = arguments.isEmpty ? [busy[0] + busy[1], busy[0] + busy[1]] : busy
        for (work, bubble) in zip(works, bubbles) { #expect(abs(work + bubble - 1) < 1e-6) }
    }

    @Test(.timeLimit(.minutes(2))) func withLocalExpertsNothingIsWaitedFor() async throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/trace.json"
        let stages = try await Self.stages(["--trace", path])
        #expect(try stages.allSatisfy { try Self.number($0, "expert_wait_ms") == 0 })
        let steps = try TraceFile.events(of: path).filter { $0["name"] as? String == "decode" }
        #expect(Set(steps.compactMap { $0["tid"] as? Int }).count == 2, "a line for each stage")
    }
}
