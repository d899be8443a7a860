public import SkeinCoordinator
internal import SkeinCore

/// Measures a model's prefill and decode, for one prompt and for streams that decode together.
///
///     warm-up ─► prompt, twice ─► streams ─► the streams' tokens once more, for their experts
///
/// The last run captures which experts every row has chosen: since a row's numbers do not depend
/// on how it is run, those are the experts that the timed steps have read. Of a long context it
/// runs the end alone, whose rows choose as many, and spares the time that grows with its square.
public struct ModelBench: Sendable {
    /// What is run.
    public struct Load: Sendable {
        /// Tokens of the timed prompt.
        public var promptTokenCount: Int
        /// Tokens that each stream produces.
        public var newTokenCount: Int
        /// Streams that decode together.
        public var streamCount: Int
        /// Positions of each stream's prompt.
        public var contextCount: Int
        /// Seed of the prompts' random tokens.
        public var seed: UInt64

        /// Describes a load.
        public init(
            promptTokenCount: Int, newTokenCount: Int, streamCount: Int, contextCount: Int,
            seed: UInt64 = 0
        ) {
            self.promptTokenCount = promptTokenCount
            self.newTokenCount = newTokenCount
            self.streamCount = streamCount
            self.contextCount = contextCount
            self.seed = seed
        }

        /// Positions that the longest sequence needs.
        public var positionCount: Int {
            max(promptTokenCount + 1, contextCount + newTokenCount)
        }

        /// Positions with which no stream ends before all of them decode.
        public var positionCountWanted: Int {
            positionCount
                + StreamsWatch.headroomTokens(
                    streamCount: streamCount, promptTokenCount: contextCount)
        }
    }

    private static let warmUpTokenCount = 32
    /// Positions before the first decoded one that the run for the experts begins with at most.
    private static let routedContextCountMax = 1024

    private let coordinator: Coordinator
    private let vocabularySize: Int
    private let positionCountMax: Int
    private let load: Load

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

    /// Runs the load.
    ///
    /// - Parameter onProgress: is told what begins.
    /// - Throws: a `Refusal` where the cluster cannot run it.
    public func run(onProgress: @Sendable (String) -> Void) async throws -> ModelFindings {
        _ = try await secondsOfPrompt(Self.warmUpTokenCount, number: 1)
        var prefillSeconds = Double.infinity
        if load.promptTokenCount > 0 {
            onProgress("a prompt of \(load.promptTokenCount) tokens, twice")
            for number in [UInt64(2), 3] {
                let seconds = try await secondsOfPrompt(load.promptTokenCount, number: number)
                prefillSeconds = min(prefillSeconds, seconds)
            }
        }
        onProgress("\(load.streamCount) streams of \(load.newTokenCount) tokens")
        let (outcome, sequences) = try await decode()
        onProgress("the same tokens once more, for the experts they chose")
        let contextCount = min(load.contextCount, Self.routedContextCountMax)
        let routes = try await routes(
            of: sequences.map { Array($0.dropFirst(load.contextCount - contextCount)) })
        return ModelFindings(
            prefillSeconds: prefillSeconds, decodeTokensPerSecond: outcome.tokensPerSecond,
            touchedExpertCount: Self.touchedExpertCount(routes, from: contextCount),
            stepPositionCount: Double(load.streamCount)
                * (Double(load.contextCount) + Double(load.newTokenCount) / 2),
            microBatchCount: outcome.after.pipeline.decodeMicroBatchCount)
    }

    private func secondsOfPrompt(_ tokenCount: Int, number: UInt64) async throws -> Double {
        let request = GenerationRequest(
            promptTokens: tokens(tokenCount, number: number), newTokensMax: 1)
        let start = ContinuousClock.now
        let (_, events) = try await coordinator.submit(request)
        var seconds = 0.0
        for try await case .token in events {
            seconds = (ContinuousClock.now - start) / .seconds(1)
        }
        return seconds
    }

    /// Runs all streams together.
    ///
    /// - Returns: what was measured, and as many tokens of every stream as were asked for but the
    ///   last, prompt included.
    private func decode() async throws -> (StreamsOutcome, [[TokenID]]) {
        let watch = StreamsWatch(streamCount: load.streamCount, newTokenCount: load.newTokenCount)
        let coordinator = coordinator
        let prompts = (0..<load.streamCount).map {
            tokens(load.contextCount, number: 1 << 32 + UInt64($0))
        }
        let newTokensMax = positionCountMax - load.contextCount
        let keptCount = load.contextCount + load.newTokenCount - 1
        let sequences = try await withThrowingTaskGroup(of: (Int, [TokenID])?.self) { streams in
            var ids: [SequenceID] = []
            for (stream, prompt) in prompts.enumerated() {
                let (id, events) = try await coordinator.submit(
                    GenerationRequest(promptTokens: prompt, newTokensMax: newTokensMax))
                ids.append(id)
                streams.addTask {
                    var tokens = prompt
                    for try await case .token(let token) in events {
                        tokens.append(token.token)
                        await watch.onToken(of: stream)
                    }
                    await watch.onEnd()
                    return (stream, tokens)
                }
            }
            streams.addTask { [ids] in
                await watch.waitUntilAllDecode()
                await watch.begin(coordinator.freshStatus())
                await watch.waitUntilOneEnds()
                await watch.end(coordinator.freshStatus())
                for id in ids { await coordinator.stop(id) }
                return nil
            }
            var sequences = prompts
            for try await case let (stream, tokens)? in streams {
                sequences[stream] = Array(tokens.dropLast().prefix(keptCount))
            }
            return sequences
        }
        return (try await watch.outcome(), sequences)
    }

    /// The experts that every row of some sequences has chosen: `[sequence][kind][row]`.
    private func routes(
        of sequences: [[TokenID]]
    ) async throws -> [[CapturedKind: [Set<Int32>]]] {
        var routes: [[CapturedKind: [Set<Int32>]]] = []
        for tokens in sequences {
            let (_, events) = try await coordinator.submit(
                GenerationRequest(promptTokens: tokens, newTokensMax: 0, capture: .router))
            var rows: [CapturedKind: [Set<Int32>]] = [:]
            for try await case .captured(let tensor) in events {
                guard case .routerIndexes = tensor.kind else { continue }
                rows[tensor.kind, default: []] += tensor.rowsOfIntegers.map(Set.init)
            }
            routes.append(rows)
        }
        return routes
    }

    /// Different experts that a step's rows have chosen, summed over layers: the mean of all steps.
    private static func touchedExpertCount(
        _ routes: [[CapturedKind: [Set<Int32>]]], from firstRow: Int
    ) -> Double {
        let rowCount = routes.flatMap { $0.values.map(\.count) }.min() ?? 0
        guard rowCount > firstRow else { return 0 }
        var sum = 0
        for kind in routes.reduce(into: Set<CapturedKind>(), { $0.formUnion($1.keys) }) {
            for row in firstRow..<rowCount {
                let step = routes.reduce(into: Set<Int32>()) { $0.formUnion($1[kind]?[row] ?? []) }
                sum += step.count
            }
        }
        return Double(sum) / Double(rowCount - firstRow)
    }

    private func tokens(_ count: Int, number: UInt64) -> [TokenID] {
        var numbers = SeededNumbers(seed: load.seed, purpose: number)
        return (0..<count).map { _ in TokenID(Int(numbers.next() % UInt64(vocabularySize))) }
    }
}

/// What a model bench has measured.
public struct ModelFindings: Sendable {
    /// Seconds from a prompt's arrival to its token; infinite without a prompt.
    public let prefillSeconds: Double
    /// Tokens a second of all streams together, while all of them decoded.
    public let decodeTokensPerSecond: Double
    /// Different experts that a step read, summed over layers.
    public let touchedExpertCount: Double
    /// Positions that a step's rows attended to, summed over streams.
    public let stepPositionCount: Double
    /// Decode micro-batches in the ring.
    public let microBatchCount: Int
}

extension CapturedTensor {
    /// The values of every row, where they are integers.
    var rowsOfIntegers: [[Int32]] {
        (0..<rowCount).map { row in
            (0..<columnCount).map { column in
                let first = 4 * (row * columnCount + column)
                let bits = (0..<4).reduce(UInt32(0)) {
                    $0 | UInt32(bytes[first + $1]) << (8 * UInt32($1))
                }
                return Int32(bitPattern: bits)
            }
        }
    }
}
