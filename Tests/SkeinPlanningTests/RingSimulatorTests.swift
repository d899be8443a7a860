import SkeinCore
import SkeinScheduling
import SkeinWeights
import Testing

@testable import SkeinPlanning

@Suite struct RingSimulatorTests {
    private func ring(
        _ hostCount: Int, kind: PlacementKind = .linear, latencyMilliseconds: Double,
        sequenceCount: Int
    ) throws -> (costs: RingCosts, wish: PlanWish) {
        let model = ModelCosts(ModelArithmetic(try SampleModel.bench()))
        let hosts = try SampleHosts.equal(
            hostCount, gigabytes: 64, latencyMilliseconds: latencyMilliseconds)
        let layers = Slice.even(
            layerCount: 8, count: kind.stageCount(nodeCount: hostCount)
        ).map(\.layers)
        let wish = PlanWish(positionCount: 2_048, sequenceCount: sequenceCount)
        let ring = PlannedRing(
            kind: kind, nodeHosts: Array(0..<hostCount), stageLayers: layers,
            serving: wish.settings)
        return (
            RingCosts(model: model, hosts: hosts, ring: ring),
            wish
        )
    }

    /// Without queues at experts, the simulator and the arithmetic must agree.
    @Test(arguments: [1, 2, 4, 8], [0.0, 0.2, 1, 5])
    func aLineGivesWhatTheArithmeticPredicts(
        _ sequenceCount: Int, _ latencyMilliseconds: Double
    ) throws {
        let (costs, wish) = try ring(
            2, latencyMilliseconds: latencyMilliseconds, sequenceCount: sequenceCount)
        let forecast = RingForecast(
            costs, sequenceCount: sequenceCount, positionCount: wish.meanPositionCount)
        let simulated = SimulatedForecast(costs: costs, wish: wish)
        let ratio = simulated.tokensPerSecond / forecast.tokensPerSecond
        #expect(ratio > 0.9 && ratio < 1.03, "\(ratio)")
    }

    @Test func oneStreamTakesOneRoundForEachToken() throws {
        let (costs, wish) = try ring(4, latencyMilliseconds: 3, sequenceCount: 1)
        let forecast = RingForecast(
            costs, sequenceCount: 1, positionCount: wish.meanPositionCount)
        let simulated = SimulatedForecast(costs: costs, wish: wish)
        #expect(abs(simulated.timePerTokenSeconds / forecast.roundSeconds - 1) < 0.02)
        #expect(simulated.singleStreamTokensPerSecond == simulated.tokensPerSecond)
    }

    /// The forecast counts all sequences under way, not some that gave up their pages.
    @Test func fewGivenPagesDoNotSlowWhatIsPredicted() throws {
        var (costs, wish) = try ring(2, latencyMilliseconds: 1, sequenceCount: 8)
        wish.serving.positionCount = 64
        let ample = SimulatedForecast(costs: costs, wish: wish)
        wish.serving.pageCount = 10
        wish.hasGivenPages = true
        #expect(SimulatedForecast(costs: costs, wish: wish) == ample)
    }

    @Test func aThinLinkBringsAPromptSoonerInFP8() throws {
        let model = ModelCosts(ModelArithmetic(try SampleModel.bench()))
        let hosts = try SampleHosts.equal(
            2, gigabytes: 64, latencyMilliseconds: 1, gigabits: 0.01)
        let wish = PlanWish(positionCount: 2_048, sequenceCount: 1)
        var ring = PlannedRing(
            kind: .linear, nodeHosts: [0, 1], stageLayers: [0..<4, 4..<8], serving: wish.settings)
        func seconds() -> (payload: Double, toFirstToken: Double, bottleneck: Double) {
            let costs = RingCosts(model: model, hosts: hosts, ring: ring)
            let shape = StepShape.decode(rowCount: 512, positionCount: 1)
            let stages = costs.stageCosts(shape)
            return (
                // The hop's latency and the return's apart.
                costs.waySeconds(rowCount: 512) - 0.002,
                SimulatedForecast(costs: costs, wish: wish).timeToFirstTokenSeconds,
                costs.arithmetic(stages, hopsSeconds: 0, rowCount: 512).bottleneckSeconds
            )
        }
        let exact = seconds()
        ring.serving.hopForm = .fp8
        let reduced = seconds()
        let ratio = model.rowBytes(.fp8) / model.rowBytes(.bf16)
        #expect(abs(reduced.payload / exact.payload - ratio) < 1e-9)
        #expect(abs(reduced.bottleneck / exact.bottleneck - ratio) < 1e-9)
        #expect(reduced.toFirstToken < 0.6 * exact.toFirstToken)
    }

    @Test func everyRequestOfALoadIsAnswered() throws {
        let (costs, wish) = try ring(2, latencyMilliseconds: 0.1, sequenceCount: 16)
        var simulator = RingSimulator(
            costs: costs,
            load: SimulatedLoad(
                requestCount: 2_000, requestRate: 2, promptTokenCount: 100, newTokenCount: 20),
            wish: wish)
        let report = simulator.run()
        #expect(report.completedCount == 2_000 && report.refusedCount == 0)
        #expect(report.timeToFirstToken.median <= report.timeToFirstToken.p99)
        #expect(abs(report.requestsPerSecond / 2 - 1) < 0.1)
    }

    @Test func theSameSeedGivesTheSameRun() throws {
        let (costs, wish) = try ring(
            2, kind: .vfold, latencyMilliseconds: 0.1, sequenceCount: 8)
        let load = SimulatedLoad(
            requestCount: 50, requestRate: 20, promptTokenCount: 64, newTokenCount: 16, seed: 7)
        var first = RingSimulator(costs: costs, load: load, wish: wish)
        var second = RingSimulator(costs: costs, load: load, wish: wish)
        #expect(first.run() == second.run())
    }

    @Test func aClosedLoopNeverHasMoreUnderWayThanClients() throws {
        let (costs, wish) = try ring(1, latencyMilliseconds: 0, sequenceCount: 4)
        var simulator = RingSimulator(
            costs: costs,
            load: SimulatedLoad(
                requestCount: 40, concurrencyMax: 4, promptTokenCount: 16, newTokenCount: 8),
            wish: wish)
        let report = simulator.run()
        #expect(report.completedCount == 40 && report.meanDecodeRowCount <= 4)
    }

    @Test func requestsThatCanNeverRunAreCountedAsRefused() throws {
        let (costs, wish) = try ring(1, latencyMilliseconds: 0, sequenceCount: 1)
        var simulator = RingSimulator(
            costs: costs,
            load: SimulatedLoad(
                requestCount: 3, concurrencyMax: 1, promptTokenCount: 4_000, newTokenCount: 8),
            wish: wish)
        let report = simulator.run()
        #expect(report.completedCount == 0 && report.refusedCount == 3)
    }
}
