import SkeinCore
import SkeinWeights
import Testing

@testable import SkeinPlanning

/// DeepSeek-V3 on paper: its figures, and plans for it.
@Suite struct PublishedModelTests {
    @Test func itsFiguresAreThePublishedOnes() throws {
        let model = ModelArithmetic(try SampleModel.deepSeekV3())
        #expect(model.main.parameterCount == 671_026_419_200)
        #expect(model.latentBytesPerToken() == 70_272)
        #expect(Int((Double(model.published.totalBytes) / 1e7).rounded()) == 68_857)
    }

    @Test(arguments: [(8, 128.0, 16, 8_192), (64, 32, 64, 8_192)])
    func itIsPlannedAndSimulated(
        _ count: Int, _ gigabytes: Double, _ sequences: Int, _ positions: Int
    ) throws {
        let hosts = try SampleHosts.equal(count, gigabytes: gigabytes)
        let wish = PlanWish(positionCount: positions, sequenceCount: sequences)
        let plan = try ClusterPlanner(
            configuration: try SampleModel.deepSeekV3(), hosts: hosts, wish: wish
        ).plan()
        var simulator = RingSimulator(
            plan: plan,
            load: SimulatedLoad(
                requestCount: 4 * sequences, concurrencyMax: sequences, promptTokenCount: 512,
                newTokenCount: 128))
        let report = simulator.run()
        #expect(report.completedCount == 4 * sequences)
        #expect(report.outputTokensPerSecond > 0)
        #expect(count < 64 || !plan.ring.expertHosts.isEmpty)
        for node in plan.nodes {
            #expect(node.memory.totalBytes <= Int(gigabytes * 1e9))
        }
    }

    @Test func itsTrainingTookWhatItsAuthorsSay() {
        let budget = TrainingBudget()
        #expect(budget.hours == 2_788_000)
        #expect(budget.dollars == 5_576_000)
    }

    @Test func economicsFollowFromThePlan() throws {
        let hosts = try SampleHosts.equal(8, gigabytes: 128)
        let plan = try ClusterPlanner(
            configuration: try SampleModel.deepSeekV3(), hosts: hosts,
            wish: PlanWish(positionCount: 4_096, sequenceCount: 8, expertHostCount: 0)
        ).plan()
        let economics = Economics(plan)
        let count = Double(plan.ring.usedHosts.count)
        #expect(economics.activeParameterCount == 37_552_297_472)
        #expect(economics.watts == 400 * count && economics.pricePerHour == 1.5 * count)
        let rate = plan.simulated.tokensPerSecond
        #expect(economics.tokensPerJoule == rate / (400 * count))
        #expect(economics.tokensPerMoney == rate * 3_600 / (1.5 * count))
        #expect(abs(economics.denseRatio - 18.3) < 0.1)
        #expect(economics.expandedBytesPerToken == 4_997_120)
    }
}
