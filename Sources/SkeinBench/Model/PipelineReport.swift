internal import SkeinCoordinator
internal import SkeinCore
internal import SkeinScheduling
internal import SkeinTelemetry

/// What a pipeline bench found, with the names that others script against.
public struct PipelineReport: Encodable, Sendable {
    /// One stage, measured beside predicted.
    public struct Stage: Encodable, Sendable {
        /// Its place in the ring.
        public let stage: Int
        /// Who holds it.
        public let node: String
        /// Its first layer.
        public let firstLayer: Int
        /// Its layers.
        public let layerCount: Int
        /// Milliseconds of compute for one decode micro-batch (median).
        public let stepMs: Double
        /// Milliseconds that one usually waits for remote experts, beyond what the stage
        /// computes for it meanwhile (median); 0 where all are local.
        public let expertWaitMs: Double
        /// The share of its time that it computed.
        public let busyShare: Double
        /// The same by ``PipelineForecast``.
        public let predictedBusyShare: Double
        /// The share of their time that the compute threads which run it waited.
        public let bubbleShare: Double
        /// The same by ``PipelineForecast``.
        public let predictedBubbleShare: Double
        /// The share of its communication under which its node computed
        /// (``SkeinTelemetry/HiddenTime``); 1 where nothing was communicated.
        public let hiddenCommunicationShare: Double
        /// The same by ``PipelineForecast``.
        public let predictedHiddenCommunicationShare: Double
        /// Milliseconds of a hop that reaches it, on the mean.
        public let hopMs: Double
    }

    /// Streams that decoded together.
    public let concurrency: Int
    /// Tokens of each prompt.
    public let promptTokens: Int
    /// Tokens that each stream produced.
    public let newTokens: Int
    /// Tokens a second of all streams together.
    public let outputTokensPerSecond: Double
    /// Tokens a second of one stream alone.
    public let singleStreamTokensPerSecond: Double
    /// Milliseconds from a request alone to its first token: the median of several.
    public let singleStreamTtftMs: Double
    /// How many times one stream's rate all streams reach together.
    public let batchingGain: Double
    /// Decode micro-batches in the ring.
    public let decodeMicroBatches: Int
    /// Milliseconds of latency and payload of all hops of a round.
    public let wayMs: Double
    /// Milliseconds between two tokens of a stream, at the median and the 99th percentile.
    public let medianItlMs: Double
    /// Milliseconds between two tokens of a stream, at the 99th percentile.
    public let p99ItlMs: Double
    /// The same while a long prompt was on its way; absent without one.
    public let p99ItlWithArrivalMs: Double?
    /// How many times longer that is; absent without an arrival.
    public let p99ItlRatioWithArrival: Double?
    /// Milliseconds from the long prompt's arrival to its first token.
    public let arrivalTtftMs: Double?
    /// Milliseconds to the first token of a prompt that is asked first; absent without one.
    public let prefixTtftMs: Double?
    /// The same when it is asked again.
    public let repeatedPrefixTtftMs: Double?
    /// How many times sooner that is.
    public let prefixTtftGain: Double?
    /// The largest difference of a stage's measured and predicted bubble share.
    public let bubbleShareErrorMax: Double
    /// The share of all communication under which the same node computed; 1 where nothing was
    /// communicated.
    public let hiddenCommunicationShare: Double
    /// The stages in ring order.
    public let stages: [Stage]

    init(
        load: PipelineBench.Load, single: StreamsOutcome, firstTokenSeconds: [Double],
        several: StreamsOutcome, withArrival: StreamsOutcome?, prefix: PrefixOutcome?
    ) {
        concurrency = load.streamCount
        promptTokens = load.promptTokenCount
        newTokens = load.newTokenCount
        outputTokensPerSecond = several.tokensPerSecond
        singleStreamTokensPerSecond = single.tokensPerSecond
        singleStreamTtftMs = Self.percentile(firstTokenSeconds.sorted(), 0.5) * 1_000
        batchingGain = several.tokensPerSecond / single.tokensPerSecond
        let pipeline = several.after.pipeline
        decodeMicroBatches = min(pipeline.decodeMicroBatchCount, load.streamCount)
        let prediction = Self.prediction(several, microBatchCount: decodeMicroBatches)
        wayMs = prediction.waySeconds * 1_000
        medianItlMs = Self.percentile(several.gapsSeconds, 0.5) * 1_000
        p99ItlMs = Self.percentile(several.gapsSeconds, 0.99) * 1_000
        p99ItlWithArrivalMs = withArrival.map { Self.percentile($0.gapsSeconds, 0.99) * 1_000 }
        p99ItlRatioWithArrival = p99ItlWithArrivalMs.map { [p99ItlMs] in $0 / p99ItlMs }
        arrivalTtftMs = withArrival.flatMap { $0.arrivalSeconds.map { $0 * 1_000 } }
        prefixTtftMs = prefix.map { $0.firstSeconds * 1_000 }
        repeatedPrefixTtftMs = prefix.map { $0.repeatedSeconds * 1_000 }
        prefixTtftGain = prefix.map { $0.firstSeconds / $0.repeatedSeconds }
        let summary = several.trace.map { TraceSummary($0) }
        let stages = Self.stages(several, prediction, summary)
        bubbleShareErrorMax =
            stages.map { abs($0.bubbleShare - $0.predictedBubbleShare) }.max() ?? 0
        hiddenCommunicationShare = summary?.hiddenShare ?? 1
        self.stages = stages
    }

    /// What the arithmetic says: from what the schedule measured or, where experts are remote,
    /// from the trace, which tells compute from waiting for them.
    private static func prediction(
        _ outcome: StreamsOutcome, microBatchCount: Int
    ) -> PipelinePrediction {
        let pipeline = outcome.after.pipeline
        if let round = outcome.trace.flatMap({ TracedRound($0) }), round.hasRemoteExperts,
            round.stages.count == pipeline.computeOwners.count
        {
            return PipelinePrediction(
                round, owners: pipeline.computeOwners, expertOwners: pipeline.expertOwners,
                stepsAtOnce: pipeline.stepsAtOnce, microBatchCount: microBatchCount)
        }
        return PipelinePrediction(
            stageSeconds: pipeline.stageSeconds, owners: pipeline.computeOwners,
            waySeconds: pipeline.waySeconds, microBatchCount: microBatchCount)
    }

    private static func stages(
        _ outcome: StreamsOutcome, _ prediction: PipelinePrediction, _ summary: TraceSummary?
    ) -> [Stage] {
        let pipeline = outcome.after.pipeline
        let forecast = prediction.forecast
        let busy = zip(outcome.before.stages, outcome.after.stages).map { before, after in
            let busy = after.busySeconds - before.busySeconds
            let all =
                busy + after.waitingInSeconds - before.waitingInSeconds
                + after.waitingCombineSeconds - before.waitingCombineSeconds
                + after.sendingSeconds - before.sendingSeconds
            return all > 0 ? busy / all : 0
        }
        var owned: [Int: Double] = [:]
        for (owner, share) in zip(pipeline.computeOwners, busy) {
            owned[owner, default: 0] += share
        }
        let names = outcome.after.nodes.flatMap { node in
            node.stages.map { (index: $0.index, name: node.name) }
        }
        guard prediction.stageSeconds.count == busy.count else { return [] }
        return outcome.after.stages.enumerated().map { place, stage in
            let traced = summary?.stages.first { $0.index == stage.index }
            return Stage(
                stage: stage.index.rawValue,
                node: names.first { $0.index == stage.index }?.name ?? "",
                firstLayer: stage.slice.layers.lowerBound, layerCount: stage.slice.layers.count,
                stepMs: prediction.stageSeconds[place] * 1_000,
                expertWaitMs: prediction.usualAwaySeconds[place] * 1_000, busyShare: busy[place],
                predictedBusyShare: forecast.busyShares[place],
                bubbleShare: max(0, 1 - owned[pipeline.computeOwners[place], default: 0]),
                predictedBubbleShare: forecast.bubbleShares[place],
                hiddenCommunicationShare: traced?.hiddenShare ?? 1,
                predictedHiddenCommunicationShare: prediction.hiddenShares[place],
                hopMs: (traced?.hopSeconds ?? 0) * 1_000)
        }
    }

    private static func percentile(_ sorted: [Double], _ share: Double) -> Double {
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
    }
}
