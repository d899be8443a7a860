internal import SkeinCore
internal import SkeinScheduling
internal import SkeinTelemetry

/// What the forward-only arithmetic says of a measured ring, stage by stage.
struct PipelinePrediction: Equatable {
    /// Compute of every stage for one micro-batch, in ring order.
    let stageSeconds: [Double]

    /// What a micro-batch usually waits at each stage for remote experts.
    ///
    /// Beyond what the stage computes for it meanwhile, queues included: measured, for the reader.
    /// The arithmetic goes by the wait without queues.
    let usualAwaySeconds: [Double]

    /// Latency and payload of all hops of a round.
    let waySeconds: Double

    /// Round, busy and bubble shares.
    let forecast: PipelineForecast

    /// The share of each stage's communication under which its node computes.
    let hiddenShares: [Double]

    /// Predicts a ring whose experts are with their layers.
    init(stageSeconds: [Double], owners: [Int], waySeconds: Double, microBatchCount: Int) {
        self.stageSeconds = stageSeconds
        usualAwaySeconds = stageSeconds.map { _ in 0 }
        self.waySeconds = waySeconds
        forecast = RingArithmetic(
            stageSeconds: stageSeconds, owners: owners, waySeconds: waySeconds
        ).forecast(microBatchCount: microBatchCount)
        hiddenShares = forecast.hiddenShares
    }

    /// Predicts a ring with remote experts: waits for these are part of the way, and an expert host
    /// or a stage that may begin no more can set the pace.
    ///
    /// - Parameters:
    ///   - owners: For every stage, the number of the compute threads that run it.
    ///   - expertOwners: The same for every expert host.
    ///   - stepsAtOnce: Micro-batches that a stage may have begun.
    init(
        _ round: TracedRound, owners: [Int], expertOwners: [Int], stepsAtOnce: Int,
        microBatchCount: Int
    ) {
        stageSeconds = round.stages.map(\.computeSeconds)
        usualAwaySeconds = round.stages.map(\.usualAwaySeconds)
        waySeconds = round.waySeconds
        var expertSeconds: [Int: Double] = [:]
        for (host, owner) in expertOwners.enumerated() {
            expertSeconds[owner, default: 0] += round.expertHostSeconds[host] ?? 0
        }
        let waiting = round.stages.filter { $0.expertSeconds > 0 }.map {
            StepTime.occupiedSeconds(
                computed: $0.computeSeconds, stay: $0.computeSeconds + $0.awaySeconds,
                concurrency: stepsAtOnce)
        }
        let forecast = RingArithmetic(
            stageSeconds: stageSeconds, owners: owners,
            waySeconds: round.stages.reduce(round.waySeconds) { $0 + $1.awaySeconds },
            expertSeconds: expertSeconds, othersSeconds: waiting.max() ?? 0
        ).forecast(microBatchCount: microBatchCount)
        self.forecast = forecast
        hiddenShares = round.stages.enumerated().map { place, stage in
            forecast.hiddenShare(of: [
                PipelineForecast.Communication(
                    stage: place, hopSeconds: stage.hopSeconds, expertSeconds: stage.expertSeconds,
                    ownSeconds: stage.ownSeconds)
            ])
        }
    }
}
