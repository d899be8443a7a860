import SkeinCore

/// What clients of a planned ring would see: the simulator's word, beside the arithmetic's.
///
/// The arithmetic (``RingForecast``) bounds a round from below: it knows no queues. Where a ring
/// has experts on other hosts, micro-batches meet there, and the simulator counts that too.
public struct SimulatedForecast: Equatable, Sendable {
    /// Seconds from a request to its first token where nobody else is there.
    public let timeToFirstTokenSeconds: Double
    /// Tokens a second of all sequences together, while all of them decode.
    public let tokensPerSecond: Double
    /// Tokens a second of one sequence alone.
    public let singleStreamTokensPerSecond: Double
    /// Seconds between two tokens of a sequence, while all of them decode.
    public let timePerTokenSeconds: Double

    /// Simulates a prompt alone, and completions alone and all together.
    init(costs: RingCosts, wish: PlanWish) {
        // Rounds enough for the schedule to settle, and fewer for very many sequences.
        let decodeTokenCount = max(24, min(96, 24_000 / wish.sequenceCount))
        var prompt = RingSimulator(
            costs: costs,
            load: SimulatedLoad(
                requestCount: 1, promptTokenCount: wish.promptTokenCount, newTokenCount: 1),
            wish: wish)
        timeToFirstTokenSeconds = prompt.run().timeToFirstToken.mean
        func rate(_ sequenceCount: Int) -> Double {
            var trial = wish
            trial.serving.positionCount = max(wish.serving.positionCount, decodeTokenCount + 1)
            trial.sequenceCount = max(sequenceCount, wish.sequenceCount)
            // All of them are under way, however long the trial makes them and few the pages are.
            trial.hasGivenPages = false
            var simulator = RingSimulator(
                costs: costs,
                load: SimulatedLoad(
                    requestCount: sequenceCount, promptTokenCount: 1,
                    newTokenCount: decodeTokenCount),
                wish: trial, positionsBefore: wish.meanPositionCount)
            let report = simulator.run()
            return report.steadyTokensPerSecond ?? report.outputTokensPerSecond
        }
        let single = rate(1)
        singleStreamTokensPerSecond = single
        let together = wish.sequenceCount == 1 ? single : rate(wish.sequenceCount)
        tokensPerSecond = together
        timePerTokenSeconds = together > 0 ? Double(wish.sequenceCount) / together : 0
    }
}
