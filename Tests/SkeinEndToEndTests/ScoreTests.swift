import Foundation
import Testing

/// `skein score` takes as many prompts as its file has.
@Suite struct ScoreTests {
    /// All prompts of a file were submitted at once, and a cluster's queue holds 1,024: a file of
    /// more, such as the completions of a rollout, ended with "try again later".
    @Test func aFileMayHaveMorePromptsThanTheQueueHolds() async throws {
        let folder = try ScratchFolder()
        let prompts = (0..<1_500).map { [1 + $0 % 50, 2, 3 + $0 % 7] }
        let file = try folder.write("{\"prompts\": \(prompts)}", to: "prompts.json")
        let run = try await SkeinProgram.run(
            ["score", "--model", SkeinProgram.golden("oracle/v2lite"), "--tokens-json", file]
                + ["--json"])
        try #require(run.status == 0, "\(run.errors)")
        let scores = try #require(try run.json()["prompts"] as? [[String: Any]])
        #expect(scores.count == 1_500)
        let likelihoods = scores.compactMap { $0["negative_log_likelihood"] as? Double }
        // 350 prompts further the same prompt comes again.
        #expect(likelihoods.count == 1_500 && likelihoods[0] == likelihoods[1_400])
    }
}
