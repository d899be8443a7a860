public import SkeinCoordinator
internal import SkeinCore
public import SkeinTelemetry

/// Measures a ring under decode: streams in parallel against one stream, where every stage's time
/// goes, and what a long prompt does to those who decode.
///
/// The measured shares stand beside those that the forward-only arithmetic predicts from the
/// stages' own step times (``PipelineForecast``).
public struct PipelineBench: Sendable {
    /// What is run.
    public struct Load: Sendable {
        /// Streams that decode at the same time.
        public var streamCount: Int
        /// Tokens of each stream's prompt.
        public var promptTokenCount: Int
        /// Tokens that each stream produces.
        public var newTokenCount: Int
        /// Tokens of a prompt that arrives while all streams decode; 0 for none.
        public var arrivalTokenCount: Int
        /// Tokens of a prompt that is asked twice, alone; 0 for none.
        public var prefixTokenCount: Int
        /// Seed of the prompts' random tokens.
        public var seed: UInt64

        /// Describes a load.
        public init(
            streamCount: Int, promptTokenCount: Int, newTokenCount: Int,
            arrivalTokenCount: Int = 0, prefixTokenCount: Int = 0, seed: UInt64 = 0
        ) {
            self.streamCount = streamCount
            self.promptTokenCount = promptTokenCount
            self.newTokenCount = newTokenCount
            self.arrivalTokenCount = arrivalTokenCount
            self.prefixTokenCount = prefixTokenCount
            self.seed = seed
        }

        /// Positions that the longest sequence needs.
        public var positionCount: Int {
            max(promptTokenCount + newTokenCount, arrivalTokenCount + 1, prefixTokenCount + 1)
        }

        /// Positions with which no stream ends before all of them decode.
        public var positionCountWanted: Int {
            positionCount
                + StreamsWatch.headroomTokens(
                    streamCount: streamCount, promptTokenCount: promptTokenCount)
        }
    }

    /// Requests alone whose first tokens are timed; their median counts.
    private static let firstTokenCount = 5

    private let coordinator: Coordinator
    private let vocabularySize: Int
    private let positionCountMax: Int
    private var load: Load

    /// Prepares a run against a cluster that is ready and otherwise idle.
    ///
    /// - Parameter positionCountMax: positions that one sequence may have there.
    public init(
        coordinator: Coordinator, vocabularySize: Int, positionCountMax: Int, load: Load
    ) {
        self.coordinator = coordinator
        self.vocabularySize = vocabularySize
        self.positionCountMax = positionCountMax
        self.load = load
    }

    /// Runs one stream, then all streams, then all streams with the arrival, then a prompt twice.
    ///
    /// - Parameters:
    ///   - attempt: which run this is on the same cluster. Each has prompts of its own, for the
    ///     cluster still knows the pages of the earlier ones.
    ///   - onProgress: is told what begins.
    ///   - onTrace: is given what every node did while all streams decoded together.
    /// - Throws: a `Refusal` where the cluster cannot run the load.
    public func run(
        attempt: Int, onProgress: @Sendable (String) -> Void,
        onTrace: @Sendable (ClusterTrace) throws -> Void
    ) async throws -> PipelineReport {
        var bench = self
        bench.load.seed &+= UInt64(attempt) << 48
        return try await bench.runRounds(onProgress: onProgress, onTrace: onTrace)
    }

    private func runRounds(
        onProgress: @Sendable (String) -> Void, onTrace: @Sendable (ClusterTrace) throws -> Void
    ) async throws -> PipelineReport {
        onProgress("one stream of \(load.newTokenCount) tokens")
        let single = try await runStreams(1, round: 1, arrivalTokenCount: 0)
        onProgress("the first token of \(Self.firstTokenCount - 1) more requests alone")
        var firstTokenSeconds = [single.firstTokenSeconds]
        for number in 1..<Self.firstTokenCount {
            let asked = request(load.promptTokenCount, 1, number: 5 << 40 + UInt64(number))
            firstTokenSeconds.append(try await secondsToFirstToken(asked))
        }
        onProgress("\(load.streamCount) streams of \(load.newTokenCount) tokens")
        let several = try await runStreams(load.streamCount, round: 2, arrivalTokenCount: 0)
        if let trace = several.trace { try onTrace(trace) }
        var withArrival: StreamsOutcome?
        if load.arrivalTokenCount > 0 {
            onProgress("the same while a prompt of \(load.arrivalTokenCount) tokens arrives")
            withArrival = try await runStreams(
                load.streamCount, round: 3, arrivalTokenCount: load.arrivalTokenCount)
        }
        var prefix: PrefixOutcome?
        if load.prefixTokenCount > 0 {
            onProgress("a prompt of \(load.prefixTokenCount) tokens, asked twice")
            let asked = request(load.prefixTokenCount, 1, number: 4 << 40)
            prefix = PrefixOutcome(
                firstSeconds: try await secondsToFirstToken(asked),
                repeatedSeconds: try await secondsToFirstToken(asked))
        }
        return PipelineReport(
            load: load, single: single, firstTokenSeconds: firstTokenSeconds, several: several,
            withArrival: withArrival, prefix: prefix)
    }

    /// Asks for one token, alone.
    private func secondsToFirstToken(_ request: GenerationRequest) async throws -> Double {
        let began = ContinuousClock.now
        let (_, events) = try await coordinator.submit(request)
        var seconds: Double?
        for try await case .token in events where seconds == nil {
            seconds = (ContinuousClock.now - began) / .seconds(1)
        }
        guard let seconds else {
            throw Refusal("a prompt alone", "its sequence ended without a token")
        }
        return seconds
    }

    /// Runs streams, looks at the stages while all of them decode, and stops them.
    private func runStreams(
        _ count: Int, round: UInt64, arrivalTokenCount: Int
    ) async throws -> StreamsOutcome {
        let watch = StreamsWatch(streamCount: count, newTokenCount: load.newTokenCount)
        let coordinator = coordinator
        let requests = (0..<count).map { stream in
            request(
                load.promptTokenCount, positionCountMax - load.promptTokenCount,
                number: round << 32 + UInt64(stream))
        }
        let arrival =
            arrivalTokenCount > 0 ? request(arrivalTokenCount, 1, number: round << 40) : nil
        try await withThrowingTaskGroup(of: Void.self) { streams in
            var sequences: [SequenceID] = []
            for (stream, request) in requests.enumerated() {
                let (sequence, events) = try await coordinator.submit(request)
                sequences.append(sequence)
                streams.addTask {
                    for try await case .token in events { await watch.onToken(of: stream) }
                    await watch.onEnd()
                }
            }
            streams.addTask {
                await watch.waitUntilAllDecode()
                await watch.begin(coordinator.freshStatus())
                if let arrival {
                    let (_, events) = try await coordinator.submit(arrival)
                    await watch.onArrival()
                    for try await case .token in events { await watch.onArrivalAnswered() }
                }
            }
            streams.addTask { [sequences] in
                await watch.waitUntilOneEnds()
                await watch.end(coordinator.freshStatus())
                for sequence in sequences { await coordinator.stop(sequence) }
            }
            streams.addTask {
                await watch.waitUntilAllDecode()
                try await coordinator.beginTrace()
                await watch.waitUntilOneEnds()
                await watch.note(try await coordinator.endTrace())
            }
            try await streams.waitForAll()
        }
        return try await watch.outcome()
    }

    private func request(_ promptCount: Int, _ newCount: Int, number: UInt64) -> GenerationRequest {
        var state = load.seed &+ number &* 0x9E37_79B9_7F4A_7C15
        let tokens = (0..<promptCount).map { _ in
            // SplitMix64: every prompt is another, so that no latent page is shared.
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return TokenID(Int((mixed ^ (mixed >> 31)) % UInt64(vocabularySize)))
        }
        return GenerationRequest(promptTokens: tokens, newTokensMax: newCount)
    }
}
