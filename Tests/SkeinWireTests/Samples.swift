import SkeinCore

@testable import SkeinWire

/// One envelope of every kind, with every optional field present in at least one of them.
enum Samples {
    static let epoch = Epoch(rawValue: 7)

    static let all: [Envelope] =
        members
        + [
            step(stage: 0), step(stage: 3), float8Step,
            Envelope(epoch: epoch, sender: "d", body: .step(score)),
            Envelope(
                epoch: epoch, sender: "d", target: StageIndex(0),
                body: .step(Step(microBatch: drafted))),
            envelope(.tokenReturn(tokenReturn)), envelope(.tokenReturn(draftReturn)),
            envelope(.captured(captured)),
            envelope(.dispatch(dispatch(.bf16))), envelope(.dispatch(dispatch(.f8e4m3))),
            combine(.outputs(tensor(.bf16, rows: 5, columns: 200))),
            combine(.refused(reason: "expert 9 is not on this node")),
        ].map { envelope in
            var envelope = envelope
            if case .step(let step) = envelope.body, step.hidden == nil {
                envelope.target = StageIndex(0)
            }
            return envelope
        }

    static func envelope(_ body: Envelope.Body) -> Envelope {
        Envelope(epoch: epoch, sender: "goose-1", body: body)
    }

    static func ofKind(_ kind: String) -> Envelope {
        all.first { $0.body.kind == kind } ?? envelope(.shutdown)
    }

    // MARK: Members

    static var members: [Envelope] {
        [
            Envelope(epoch: .none, sender: "goose-1", body: .hello(hello)),
            Envelope(epoch: .none, sender: "head", body: .refused(reason: "another fingerprint")),
            envelope(.placement(placement)),
            envelope(.loading(Loading(doneBytes: 3 << 40, totalBytes: 4 << 40))),
            envelope(.ready(Ready(loadedWeightBytes: 1 << 40, residentBytes: 5))),
            envelope(.alive(alive)), envelope(.leave(reason: "")), envelope(.shutdown),
            envelope(.fault(Fault(stage: StageIndex(2), microBatch: nil, reason: "gänse"))),
            envelope(
                .fault(
                    Fault(
                        stage: StageIndex(2), microBatch: MicroBatchID(rawValue: .max),
                        reason: "no"))),
            envelope(.release([SequenceID(rawValue: 1), SequenceID(rawValue: .max)])),
            envelope(
                .traceRequest(
                    TraceRequest(afterNumber: TraceRequest.fromNow, wantsOpenIntervals: true))),
            envelope(.traceAnswer(traceAnswer)),
        ]
    }

    static let hello = Hello(
        nodeName: "goose-1", softwareVersion: "0.1.0", fingerprint: "sha256:abc",
        inboxAddress: "tcp://10.0.0.1:7001", processID: 4_711, memoryAvailableBytes: 64 << 30,
        cpuISA: "avx512", threadCount: 16)

    private static var settings: StageSettings {
        var settings = StageSettings(pageCount: 1_000)
        settings.hopForm = .fp8
        settings.dispatchForm = .fp8
        settings.latentForm = .fp8
        settings.speculates = true
        return settings
    }

    static let placement = Placement(
        epoch: epoch, nodeIndex: 1, kind: .vfold,
        ring: Slice.even(layerCount: 9, count: 4).enumerated().map { place, slice in
            RingStage(
                index: StageIndex(place), nodeName: "goose-\(place)",
                address: place == 0 ? "" : "tcp://10.0.0.\(place):7001",
                publicKey: place == 0 ? nil : String(repeating: "k", count: 40), slice: slice)
        },
        microBatchesInFlight: 8, fingerprint: "sha256:abc",
        expertHosts: [
            ExpertHost(
                nodeName: "gander", address: "tcp://10.0.1.1:7001",
                publicKey: String(repeating: "e", count: 40),
                shard: [
                    ShardPart(layers: 3..<9, experts: 0..<128),
                    ShardPart(layers: 4..<5, experts: 200..<201),
                ]),
            ExpertHost(
                nodeName: "goose-3", address: "", publicKey: nil,
                shard: [ShardPart(layers: 0..<1_024, experts: 0..<4_096)]),
        ], settings: settings)

    static var alive: Alive {
        var alive = Alive(sequenceNumber: 99, sentAtMicroseconds: 1 << 50)
        alive.residentBytes = 1 << 33
        alive.usedPageCount = 12
        alive.doneStepCount = 1 << 40
        alive.stepP50Microseconds = 1_500
        alive.stepP99Microseconds = 9_000
        alive.tokensPerSecond = 41.25
        alive.stageTimes = [0, 7].map { stage in
            var times = StageTimes(
                stage: StageIndex(stage), busyMicroseconds: 1, waitingInMicroseconds: 2,
                waitingOutMicroseconds: 3, sendingMicroseconds: 4)
            times.currentMicroBatch = stage == 0 ? nil : MicroBatchID(rawValue: 9)
            times.currentStepMicroseconds = 5
            times.lastMicroBatch = stage == 0 ? MicroBatchID(rawValue: 8) : nil
            times.waitingCombineMicroseconds = 6
            return times
        }
        var expertTimes = ExpertTimes(host: 3)
        expertTimes.busyMicroseconds = 1 << 40
        expertTimes.sendingMicroseconds = 7
        expertTimes.doneStepCount = 8
        expertTimes.doneRowCount = 9
        expertTimes.doneChoiceCount = 1 << 41
        expertTimes.rowCounts = [0: 1, 255: 1 << 40, 4_095: 3]
        alive.expertTimes = expertTimes
        alive.lastErrorAgeMicroseconds = 1 << 30
        alive.echoedAtMicroseconds = 1 << 51
        alive.memoryAvailableBytes = 1 << 36
        alive.heardAtMicroseconds = 1 << 49
        alive.lastError = "link to tcp://10.0.0.2:7001: the connection was lost"
        return alive
    }

    static let traceAnswer = TraceAnswer(
        firstNumber: 1 << 40,
        intervals: IntervalKind.allCases.map { kind in
            TracedInterval(
                lane: .stage(StageIndex(3)), kind: kind, microBatch: MicroBatchID(rawValue: 9),
                startMicroseconds: 1 << 50, endMicroseconds: 1 << 50 + Int64(kind.rawValue))
        },
        openIntervals: [
            TracedInterval(
                lane: .expertHost(127), kind: .shard, layer: LayerIndex(0), startMicroseconds: 0,
                endMicroseconds: 7)
        ])

    // MARK: Steps

    static func step(stage: Int) -> Envelope {
        let hidden = TensorFrame(
            .bf16, rows: 4, columns: 8, bytes: (0..<64).map { UInt8($0) })
        return Envelope(
            epoch: epoch, sender: "head", target: StageIndex(stage),
            body: .step(Step(microBatch: microBatch, hidden: stage == 0 ? nil : hidden)))
    }

    /// Rows of two tiles, the second of them short.
    static var float8Step: Envelope {
        Envelope(
            epoch: epoch, sender: "goose-1", target: StageIndex(255),
            body: .step(
                Step(
                    microBatch: microBatch, hidden: tensor(.f8e4m3, rows: 4, columns: 129),
                    scales: tensor(.f32, rows: 4, columns: 2),
                    stageTimes: [.microseconds(7), .milliseconds(9)])))
    }

    static var microBatch: MicroBatch {
        var greedy = SamplingParameters()
        greedy.topLogprobsCount = 0
        var parameters = SamplingParameters()
        parameters.temperature = 0.6
        parameters.topK = 40
        parameters.topP = 0.95
        parameters.minP = 0.05
        parameters.presencePenalty = -0.5
        parameters.frequencyPenalty = 0.25
        parameters.repetitionPenalty = 1.1
        parameters.logitBias = [3: -100, 1: 4.5, 129_279: 0.5]
        parameters.seed = .max
        parameters.topLogprobsCount = 20
        return MicroBatch(
            id: MicroBatchID(rawValue: 12), epoch: epoch, phase: .decode,
            spans: [
                SequenceSpan(
                    sequence: SequenceID(rawValue: 1), firstPosition: 200, tokens: [5],
                    pageTable: [9, 10, 11, 2].map { PageIndex($0) },
                    demand: SamplingDemand(
                        parameters: greedy,
                        allowed: AllowedTokens(vocabularySize: 129_280, tokens: [0, 63, 129_279])),
                    pageCopy: PageCopy(source: PageIndex(40), target: PageIndex(2), rowCount: 8)),
                SequenceSpan(
                    sequence: SequenceID(rawValue: .max), firstPosition: 0, tokens: [1, 2, 3],
                    pageTable: [PageIndex(Int(Int32.max) - 1)],
                    demand: SamplingDemand(
                        parameters: parameters, promptTokens: [1, 2], completionTokens: [3],
                        allowed: AllowedTokens(
                            vocabularySize: 101, tokens: (0..<101).map { TokenID($0) })),
                    label: "req_0123456789abcdef01234567"),
            ])
    }

    static var score: Step {
        Step(
            microBatch: MicroBatch(
                id: MicroBatchID(rawValue: 13), epoch: epoch, phase: .prefill,
                spans: [
                    SequenceSpan(
                        sequence: SequenceID(rawValue: 4), firstPosition: 62, tokens: [8, 9, 10],
                        pageTable: [PageIndex(0), PageIndex(1)], targets: [9, 10, 11],
                        targetTopLogprobsCount: 2)
                ], capture: [.logits, .hidden, .router]))
    }

    /// A step with drafts that wants more, and a chunk that is followed by a known token.
    static var drafted: MicroBatch {
        var step = SequenceSpan(
            sequence: SequenceID(rawValue: 1), firstPosition: 9, tokens: [5, 6, 7],
            pageTable: [PageIndex(0)], demand: SamplingDemand(parameters: SamplingParameters()))
        step.draftCount = 2
        step.draftsWantedCount = Limits.draftsMax
        step.isPredicted = true
        var chunk = SequenceSpan(
            sequence: SequenceID(rawValue: 2), firstPosition: 0, tokens: [5, 6],
            pageTable: [PageIndex(1)])
        chunk.followingToken = 0
        return MicroBatch(
            id: MicroBatchID(rawValue: 13), epoch: epoch, phase: .decode, spans: [step, chunk])
    }

    static var draftReturn: TokenReturn {
        var answer = TokenReturn(
            microBatch: MicroBatchID(rawValue: 13), epoch: epoch,
            tokens: (0..<3).map {
                SampledToken(sequence: SequenceID(rawValue: 1), position: 10 + $0, token: 6)
            })
        answer.drafts = [[8, 0, 129_279], [], [4]]
        return answer
    }

    static let tokenReturn = TokenReturn(
        microBatch: MicroBatchID(rawValue: 12), epoch: epoch,
        tokens: [
            SampledToken(sequence: SequenceID(rawValue: 1), position: 201, token: 77),
            SampledToken(
                sequence: SequenceID(rawValue: .max), position: 3, token: 0, logprob: -0.25,
                topLogprobs: [
                    TokenLogprob(token: 0, logprob: -0.25),
                    TokenLogprob(token: 9, logprob: -.infinity),
                ]),
        ],
        targetScores: [
            TargetScore(
                logprob: -1,
                topLogprobs: [
                    TokenLogprob(token: 4, logprob: -0.5), TokenLogprob(token: 7, logprob: -1),
                ]),
            TargetScore(logprob: 0), TargetScore(logprob: -.infinity),
        ])

    static let captured = Captured(
        microBatch: MicroBatchID(rawValue: 13), stage: StageIndex(3),
        values: [
            .init(.hidden(LayerIndex(8)), f32(columns: 4)),
            .init(.routerIndexes(LayerIndex(8)), tensor(.i32, columns: 2)),
            .init(.routerWeights(LayerIndex(8)), f32(columns: 2)),
            .init(.finalHidden, f32(columns: 4)),
            .init(.logits, f32(columns: 11)),
        ])

    // MARK: Experts

    static func dispatch(_ element: TensorFrame.Element) -> Dispatch {
        Dispatch(
            microBatch: MicroBatchID(rawValue: 12), stage: StageIndex(3), layer: LayerIndex(8),
            choiceCounts: [1, 3, 1], experts: [7, 0, 7, 255, 4_095],
            rows: tensor(element, columns: 200),
            scales: element == .bf16 ? nil : f32(columns: 2))
    }

    static func combine(_ outcome: Combine.Outcome) -> Envelope {
        Envelope(
            epoch: epoch, sender: "gander", target: StageIndex(3),
            body: .combine(
                Combine(
                    microBatch: MicroBatchID(rawValue: 12), layer: LayerIndex(8),
                    outcome: outcome)))
    }

    static func f32(columns: Int) -> TensorFrame { tensor(.f32, columns: columns) }

    static func tensor(_ element: TensorFrame.Element, rows: Int = 3, columns: Int) -> TensorFrame {
        TensorFrame(
            element, rows: rows, columns: columns,
            bytes: [UInt8](repeating: 1, count: rows * columns * element.byteCount))
    }
}
