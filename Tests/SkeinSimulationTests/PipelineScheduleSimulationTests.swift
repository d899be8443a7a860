import SkeinCore
import SkeinScheduling
import Testing

@Suite struct PipelineScheduleSimulationTests {
    static let scenarios: [Scenario] = [
        Scenario(name: "one stage", seed: 1, stageCount: 1),
        Scenario(name: "four stages", seed: 2),
        Scenario(
            name: "eight stages, crowded", seed: 3, stageCount: 8, pageCount: 160,
            requestCount: 1_000, arrivalGap: 0),
        Scenario(name: "few pages", seed: 4, pageCount: 40, requestCount: 400, arrivalGap: 500),
        Scenario(name: "one credit", seed: 5, microBatchesInFlightMax: 1, requestCount: 200),
        Scenario(name: "two credits", seed: 6, microBatchesInFlightMax: 2, requestCount: 200),
        Scenario(name: "few may run", seed: 7, runningMax: 3, requestCount: 200),
        Scenario(name: "stages die", seed: 8, pageCount: 64, epochCount: 12, arrivalGap: 1_000),
        Scenario(
            name: "stages die in a crowd", seed: 9, stageCount: 3, pageCount: 48,
            requestCount: 500, epochCount: 6, arrivalGap: 0),
        Scenario(
            name: "many go away", seed: 10, pageCount: 48, cancelPercent: 60,
            arrivalGap: 500),
        Scenario(name: "shared beginnings", seed: 11, reusesPrefixes: true),
        Scenario(
            name: "shared beginnings, few pages", seed: 12, pageCount: 40, epochCount: 3,
            reusesPrefixes: true, arrivalGap: 500),
        Scenario(
            name: "long answers, few pages", seed: 13, pageCount: 40, requestCount: 400,
            promptMax: 100, completionMax: 400, runsOutOfPages: true, arrivalGap: 500),
        Scenario(
            name: "long answers, few pages, stages die", seed: 14, stageCount: 2, pageCount: 40,
            requestCount: 400, promptMax: 100, completionMax: 400, epochCount: 8,
            reusesPrefixes: true, runsOutOfPages: true, arrivalGap: 0),
        Scenario(
            name: "everybody asks the same", seed: 15, requestCount: 1_000, reusesPrefixes: true,
            kinPercent: 90, arrivalGap: 0),
        Scenario(
            name: "conversations", seed: 16, stageCount: 2, pageCount: 200, requestCount: 2_000,
            promptMax: 700, reusesPrefixes: true, kinPercent: 75, arrivalGap: 2_000),
        Scenario(
            name: "conversations, few pages, many go away", seed: 17, pageCount: 34,
            requestCount: 1_000, epochCount: 10, cancelPercent: 35, reusesPrefixes: true,
            kinPercent: 80, arrivalGap: 500),
        Scenario(
            name: "conversations, long answers, few pages, stages die", seed: 18, stageCount: 3,
            pageCount: 36, requestCount: 600, promptMax: 200, completionMax: 300, epochCount: 6,
            cancelPercent: 15, reusesPrefixes: true, kinPercent: 80, runsOutOfPages: true,
            arrivalGap: 0),
        Scenario(
            name: "everybody asks the same, one credit", seed: 19, stageCount: 1, pageCount: 40,
            microBatchesInFlightMax: 1, runningMax: 8, requestCount: 300, reusesPrefixes: true,
            kinPercent: 95, arrivalGap: 0),
    ]

    @Test(arguments: scenarios)
    func everySequenceGetsWhatItWouldGetAlone(_ scenario: Scenario) {
        var simulation = RingSimulation(scenario)
        simulation.run()
        let faults = simulation.faults.prefix(5).joined(separator: "; ")
        #expect(simulation.faults.isEmpty, "\(scenario): \(faults)")
    }

    @Test(arguments: scenarios, [Speculation.auto, .one, .four])
    func guessingAheadChangesNoAnswer(_ scenario: Scenario, _ speculation: Speculation) {
        var scenario = scenario.speculating(speculation)
        // Fewer rounds mean fewer chances to run out.
        scenario.runsOutOfPages = false
        var simulation = RingSimulation(scenario)
        simulation.run()
        let faults = simulation.faults.prefix(5).joined(separator: "; ")
        #expect(simulation.faults.isEmpty, "\(scenario): \(faults)")
        guard speculation != .auto else { return }
        let totals = simulation.schedule.totals
        let (count, rightCount) = (totals.draftCounts[0], totals.acceptedDraftCounts[0])
        #expect(rightCount > 0 && rightCount < count)
    }

    @Test func theSameSeedGivesTheSameRun() {
        var first = RingSimulation(Self.scenarios[7])
        var second = RingSimulation(Self.scenarios[7])
        first.run()
        second.run()
        #expect(first.schedule.totals == second.schedule.totals)
        #expect(first.decodeSpans == second.decodeSpans)
    }
}
