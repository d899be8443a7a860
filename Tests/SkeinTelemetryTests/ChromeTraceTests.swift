import Foundation
import SkeinCore
import SkeinTelemetry
import Testing

@Suite struct ChromeTraceTests {
    private func events(_ trace: ClusterTrace) throws -> [[String: Any]] {
        let value = try JSONSerialization.jsonObject(with: Data(ChromeTrace(trace).text.utf8))
        let file = try #require(value as? [String: Any])
        return try #require(file["traceEvents"] as? [[String: Any]])
    }

    private static func interval(
        _ stage: Int, _ kind: IntervalKind, _ span: Range<Int64>, layer: Int? = nil
    ) -> TracedInterval {
        TracedInterval(
            lane: .stage(StageIndex(stage)), kind: kind, microBatch: MicroBatchID(rawValue: 5),
            layer: layer.map { LayerIndex($0) }, startMicroseconds: span.lowerBound,
            endMicroseconds: span.upperBound)
    }

    private static let trace = ClusterTrace(
        startMicroseconds: 1_000, endMicroseconds: 2_000,
        nodes: [
            .init(name: "coordinator", intervals: []),
            .init(
                name: "goose \"one\"",
                intervals: [
                    interval(0, .prefill, 1_100..<1_200), interval(0, .sending, 1_200..<1_210),
                    interval(0, .waitingCombine, 1_120..<1_180, layer: 3),
                ]),
            .init(
                name: "two",
                intervals: [
                    interval(1, .receiving, 1_290..<1_300), interval(1, .prefill, 1_300..<1_400),
                ]),
        ],
        stages: [
            .init(index: StageIndex(0), node: 1, owner: 0),
            .init(index: StageIndex(1), node: 2, owner: 1),
        ])

    @Test func everyNodeIsAProcessAndEveryStageAThread() throws {
        let names = try events(Self.trace).filter { $0["ph"] as? String == "M" }
        let titles = names.compactMap { ($0["args"] as? [String: Any])?["name"] as? String }
        #expect(titles.contains("goose \"one\"") && titles.contains("two"))
        #expect(titles.contains("stage 0") && titles.contains("stage 1 arrivals"))
    }

    @Test func intervalsAreSlicesSinceTheWindowsStart() throws {
        let slices = try events(Self.trace).filter { $0["ph"] as? String == "X" }
        #expect(slices.count == 4)
        let step = try #require(slices.first { $0["name"] as? String == "prefill" })
        #expect(step["ts"] as? Int == 100 && step["dur"] as? Int == 100)
        #expect((step["args"] as? [String: Any])?["micro_batch"] as? Int == 5)
    }

    @Test func whatBelongsToAMicroBatchNamesItsRowsAndRequests() throws {
        var trace = Self.trace
        trace.requests = ["req_1", "a \"quoted\" one", "req_3"]
        trace.microBatches = [MicroBatchID(rawValue: 5): .init(rowCount: 7, requests: [1, 2])]
        let events = try events(trace)
        let kinds = events.filter {
            ["X", "b"].contains($0["ph"] as? String)
        }.compactMap { $0["args"] as? [String: Any] }
        #expect(kinds.count == 6)
        for args in kinds {
            #expect(args["micro_batch"] as? Int == 5 && args["rows"] as? Int == 7)
            #expect(args["requests"] as? String == "a \"quoted\" one,req_3")
        }
        // Without a name there is nothing to ask for, but rows there are.
        trace.microBatches = [MicroBatchID(rawValue: 5): .init(rowCount: 1)]
        let unnamed = try self.events(trace).compactMap { $0["args"] as? [String: Any] }
        #expect(unnamed.contains { $0["rows"] as? Int == 1 })
        #expect(unnamed.allSatisfy { $0["requests"] == nil })
    }

    @Test func hopsAndWaitsForExpertsBeginAndEnd() throws {
        for category in ["hop", "combine"] {
            let events = try events(Self.trace).filter { $0["cat"] as? String == category }
            #expect(events.map { $0["ph"] as? String } == ["b", "e"], "\(category)")
        }
    }

    @Test func anArrowLeadsAMicroBatchFromStageToStage() throws {
        let arrows = try events(Self.trace).filter { $0["cat"] as? String == "micro_batch" }
        #expect(arrows.map { $0["ph"] as? String } == ["s", "f"])
        #expect(arrows.map { $0["ts"] as? Int } == [100, 300])
        #expect(arrows.allSatisfy { $0["id"] as? Int == 5 })
    }
}
