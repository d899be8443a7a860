import SkeinCore
import SkeinTensor
import SkeinWire
import Testing

@testable import SkeinModel
@testable import SkeinStage

/// One node, or two, among peers that the test plays.
@Suite(.timeLimit(.minutes(2))) struct NodeServiceTests {
    private static let whole = [(node: "a", layers: 0..<6)]
    private static let halves = [(node: "a", layers: 0..<3), (node: "b", layers: 3..<6)]

    private static func microBatch(_ number: UInt64) -> MicroBatch {
        MicroBatch(
            id: MicroBatchID(rawValue: number), epoch: NodeRig.epoch, phase: .prefill,
            spans: [
                SequenceSpan(
                    sequence: SequenceID(rawValue: number), firstPosition: 0,
                    tokens: [7, 700, 3_000], pageTable: [PageIndex(0)],
                    demand: SamplingDemand(parameters: SamplingParameters()))
            ])
    }

    private static func fault(_ envelope: Envelope) -> Fault? {
        if case .fault(let fault) = envelope.body { fault } else { nil }
    }

    // MARK: Dispatches to the wrong node

    /// What the node x was told, where a was told that x has all routed experts.
    struct Misplaced: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let ring: [(node: String, layers: Range<Int>)]
        let experts: [(node: String, part: ShardPart)]
        let reason: String
    }

    static let misplaced = [
        Misplaced(
            testDescription: "a slice and no shard",
            ring: [(node: "a", layers: 0..<3), (node: "x", layers: 3..<6)], experts: [],
            reason: "expert host x: dispatch of layer 1: this node serves no experts"),
        Misplaced(
            testDescription: "experts of other layers", ring: whole,
            experts: [(node: "x", part: ShardPart(layers: 4..<6, experts: 0..<16))],
            reason: "expert host x: dispatch of layer 1: this node holds no experts of it"),
        Misplaced(
            testDescription: "no experts that are chosen", ring: whole,
            experts: [(node: "x", part: ShardPart(layers: 1..<6, experts: 0..<1))],
            reason: "is not on this node"),
    ]

    /// Such a dispatch was only noted once, and the stage waited for its rows without end.
    @Test(arguments: misplaced)
    func aDispatchThatANodeCannotServeFailsTheStepByName(misplaced: Misplaced) async throws {
        let rig = NodeRig(["a", "x"])
        try await rig.place([
            "a": NodeRig.placement(
                Self.whole,
                experts: [(node: "x", part: ShardPart(layers: 1..<6, experts: 0..<16))]),
            "x": NodeRig.placement(misplaced.ring, experts: misplaced.experts),
        ])
        // The second shows that the stage has let go of the first.
        for number: UInt64 in 1...2 {
            try await rig.send(
                .step(SkeinWire.Step(microBatch: Self.microBatch(number))), to: "a",
                target: StageIndex(0))
            let fault = try await rig.next(Self.fault)
            #expect(fault.stage == StageIndex(0) && fault.microBatch?.rawValue == number)
            #expect(fault.reason.hasPrefix("expert host x: dispatch of layer 1: "))
            #expect(fault.reason.hasSuffix(misplaced.reason), "\(fault.reason)")
        }
        try await rig.stop()
    }

    // MARK: Hops

    private static func rows(_ element: TensorFrame.Element) -> RowFrames {
        let rows = Tensor(rows: 3, columns: 256)
        for row in 0..<3 {
            for column in 0..<256 { rows[row, column] = Float(row * 256 + column) / 64 }
        }
        rows.roundToBFloat16()
        return element == .bf16 ? RowFrames(bfloat16: rows) : RowFrames(float8: rows)
    }

    @Test(arguments: RowForm.allCases)
    func aStageTakesRowsInThePlacementsFormAlone(form: RowForm) async throws {
        let rig = NodeRig(["b"])
        try await rig.place(["b": NodeRig.placement(Self.halves, hopForm: form)])
        func send(_ element: TensorFrame.Element, number: UInt64) async throws {
            let rows = Self.rows(element)
            try await rig.send(
                .step(
                    SkeinWire.Step(
                        microBatch: Self.microBatch(number), hidden: rows.rows,
                        scales: rows.scales)), to: "b", target: StageIndex(1))
        }
        let other: TensorFrame.Element = form == .bf16 ? .f8e4m3 : .bf16
        try await send(other, number: 1)
        let fault = try await rig.next(Self.fault)
        #expect(
            fault.reason
                == "micro-batch 1: carries \(other) rows of 256, expected \(form.element) rows of "
                + "256")
        try await send(form.element, number: 2)
        let answer = try await rig.next { envelope -> TokenReturn? in
            if case .tokenReturn(let answer) = envelope.body { answer } else { nil }
        }
        #expect(answer.microBatch.rawValue == 2 && answer.tokens.count == 1)
        try await rig.stop()
    }

    @Test func aStageSendsTheRowsOfBF16RoundedWhereHopsAreFP8() async throws {
        func hop(_ form: RowForm) async throws -> Tensor {
            let rig = NodeRig(["a"])
            try await rig.place(["a": NodeRig.placement(Self.halves, hopForm: form)])
            try await rig.send(
                .step(SkeinWire.Step(microBatch: Self.microBatch(1))), to: "a",
                target: StageIndex(0))
            let step = try await rig.next(to: "b") { envelope -> SkeinWire.Step? in
                if case .step(let step) = envelope.body { step } else { nil }
            }
            try await rig.stop()
            let hidden = try #require(step.hidden)
            #expect(hidden.element == form.element && hidden.rowCount == 3)
            #expect((step.scales == nil) == (form == .bf16))
            let rows = Tensor(rows: 0, columns: 256)
            RowFrames(rows: hidden, scales: step.scales).load(into: rows)
            return rows
        }
        let exact = try await hop(.bf16)
        let rounded = Tensor(rows: 0, columns: 256)
        RowTiles.round(exact, into: rounded)
        let reduced = try await hop(.fp8)
        #expect(reduced.values() == rounded.values() && reduced.values() != exact.values())
    }
}
