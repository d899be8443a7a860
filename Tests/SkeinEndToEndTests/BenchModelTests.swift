import Foundation
import Testing

/// The benches of a model and of a ring, as a user would start them.
@Suite struct BenchModelTests {
    @Test(.timeLimit(.minutes(2)), arguments: [("native", "bf16"), ("int8", "fp8")])
    func aModelIsMeasuredBesideTheLimitsOfTheMachine(
        weights: String, latents: String
    ) async throws {
        let bench = try await SkeinProgram.run([
            "bench", "model", "--model", SkeinProgram.gosling, "--weights", weights,
            "--latents", latents, "--prompt-tokens", "64", "--new-tokens", "16", "--batch", "2",
            "--context", "8", "--threads", "1", "--json",
        ])
        #expect(bench.status == 0, "\(bench.errors)")
        let figures = try bench.json()
        for name in [
            "prefill_tokens_per_second", "decode_tokens_per_second", "decode_bytes_per_token",
            "read_bandwidth_bytes_per_second", "decode_share_of_bandwidth",
            "prefill_share_of_peak", "peak_resident_bytes",
        ] {
            #expect((figures[name] as? Double ?? 0) > 0, "\(name)")
        }
        let peaks = try #require(figures["multiply_add_peak_flops"] as? [String: Double])
        #expect(Set(peaks.keys) == ["f32", "bf16", "int8"])
        #expect(figures["weights"] as? String == weights)
        #expect(figures["latents"] as? String == latents)
    }

    @Test(.timeLimit(.minutes(2)))
    func aRingIsMeasuredWithAnArrivalAndAPromptThatComesAgain() async throws {
        let bench = try await SkeinProgram.run([
            "bench", "pipeline", "--model", SkeinProgram.gosling, "--stages", "2", "--threads",
            "1", "--concurrency", "2", "--new-tokens", "32", "--arrival-tokens", "200",
            "--prefix-tokens", "300", "--json",
        ])
        #expect(bench.status == 0, "\(bench.errors)")
        let figures = try bench.json()
        for name in [
            "output_tokens_per_second", "single_stream_tokens_per_second", "batching_gain",
            "p99_itl_ratio_with_arrival", "prefix_ttft_ms", "repeated_prefix_ttft_ms",
        ] {
            #expect((figures[name] as? Double ?? 0) > 0, "\(name)")
        }
        let stages = try #require(figures["stages"] as? [[String: Any]])
        #expect(stages.count == 2)
        for name in ["busy_share", "bubble_share", "hidden_communication_share"] {
            #expect(stages.allSatisfy { $0[name] is Double && $0["predicted_" + name] is Double })
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func aThresholdThatIsMissedEndsTheBenchWithTheFileAndTheFigure() async throws {
        let folder = try ScratchFolder()
        let file = folder.path + "/thresholds.json"
        try #"{"decode_share_of_bandwidth": {"at_least": 1000}}"#.write(
            toFile: file, atomically: false, encoding: .utf8)
        let bench = try await SkeinProgram.run([
            "bench", "model", "--model", SkeinProgram.gosling, "--prompt-tokens", "0",
            "--new-tokens", "16", "--threads", "1", "--thresholds", file,
        ])
        #expect(bench.status == 1)
        let line = bench.errors.split(separator: "\n").last ?? ""
        #expect(line.contains("\(file): decode_share_of_bandwidth: found"), "\(line)")
    }
}
