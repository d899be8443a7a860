import SkeinCache
import SkeinCore
import SkeinTensor
import SkeinWeights
import Testing

@testable import SkeinModel

/// Remote experts give the bytes of local ones, whatever is where and who waits for whom.
@Suite struct RemoteExpertsTests {
    /// A slice of all layers, and the experts that it does not have.
    private final class Rig {
        let model: SliceModel
        private let hosts: [Int: ExpertShard]
        private let compute: ComputePool

        init(_ checkpoint: Checkpoint, local: [Range<Int>], threadCount: Int = 1) throws {
            let configuration = checkpoint.configuration
            let routing = try #require(configuration.routing)
            let slice = Slice(
                layers: 0..<configuration.layerCount, holdsEmbedding: true, holdsHead: true)
            var held = HeldExperts()
            var hosts: [Int: ExpertShard] = [:]
            let away = RangeSet(0..<routing.expertCount).subtracting(RangeSet(local))
            for layer in slice.layers where configuration.layerIsMixture[layer] {
                held.ranges[layer] = local
                hosts[layer] = try ExpertShard(
                    checkpoint: checkpoint, layer: layer, ranges: Array(away.ranges))
            }
            compute = ComputePool(threadCount: threadCount)
            self.hosts = hosts
            model = try SliceModel(
                checkpoint: checkpoint, slice: slice,
                latents: LatentPool(configuration: configuration, slice: slice, pageCount: 64),
                compute: compute, held: held)
        }

        /// Runs layers until experts are needed, and lays their answer aside; `nil` at the end.
        func advance(_ run: SliceRun) -> [ExpertOutputs]? {
            while run.nextBlock < model.blockCount {
                guard let demand = model.advance(run) else { continue }
                // What travels: the rows in BF16, those that are needed alone.
                let bytes = model.routedRows(of: run).packedBFloat16()
                model.runLocal(run)
                return [answer(demand, bytes)]
            }
            return nil
        }

        private func answer(_ demand: ExpertDemand, _ bytes: [UInt8]) -> ExpertOutputs {
            let rows = Tensor(
                rows: demand.choice.rowCount, columns: model.configuration.hiddenSize)
            rows.load(bfloat16: bytes.span.bytes)
            guard let shard = hosts[demand.layer.rawValue] else { fatalError("no such host") }
            let outputs = Tensor(rows: 0, columns: rows.columnCount)
            return ExpertOutputs(
                slots: demand.slots,
                bytes: shard.packedOutputs(
                    rows,
                    choices: demand.slots.map {
                        RowChoice(
                            row: $0 / demand.choice.slotCount, expert: demand.choice.experts[$0])
                    }, rowsMax: 7, scratch: outputs, on: compute))
        }

        func step(_ span: SequenceSpan) throws -> Outcome {
            var outcome = Outcome()
            let run = try model.begin([span], capture: [.logits, .hidden, .router])
            while let outputs = advance(run) { model.combine(run, outputs) }
            outcome.add(model.finish(run))
            return outcome
        }
    }

    private static func tokens(_ count: Int, seed: Int = 1) -> [Int] {
        (0..<count).map { ($0 * 37 + seed * 11 + $0 / 5) % 64 }
    }

    private static func span(
        _ sequence: UInt64, _ tokens: ArraySlice<Int>, from first: Int, page: Int
    ) -> SequenceSpan {
        PipelineRig.span(sequence, tokens, from: first, pages: [PageIndex(page)])
    }

    @Test(
        arguments: [[], [0..<8], [0..<1], [2..<4, 7..<8], [0..<7]],
        [SyntheticCheckpoint.Format.fp8, .bf16])
    func notABitDependsOnWhereAnExpertIs(
        local: [Range<Int>], format: SyntheticCheckpoint.Format
    ) async throws {
        try await TinyModel.with(format) { checkpoint in
            let whole = try PipelineRig(checkpoint).step(
                [Self.span(0, Self.tokens(40)[...], from: 0, page: 0)],
                capture: [.logits, .hidden, .router])
            for threadCount in [1, 2] {
                let remote = try Rig(checkpoint, local: local, threadCount: threadCount)
                    .step(Self.span(0, Self.tokens(40)[...], from: 0, page: 0))
                #expect(remote.bits == whole.bits)
            }
        }
    }

    @Test func int8ExpertsAreTheSameElsewhere() async throws {
        try await TinyModel.with(.fp8) { stored in
            let checkpoint = try TinyModel.int8(of: stored, threadCount: 1)
            let span = Self.span(0, Self.tokens(20)[...], from: 0, page: 0)
            let whole = try PipelineRig(checkpoint).step(
                [span], capture: [.logits, .hidden, .router])
            #expect(try Rig(checkpoint, local: [3..<5]).step(span).bits == whole.bits)
        }
    }

    /// Two chunks of one sequence and another sequence between them, each begun while the one
    /// before it waits at its first MoE layer.
    @Test func stepsThatAreBegunWhileOthersWaitChangeNothing() async throws {
        try await TinyModel.with(.fp8) { checkpoint in
            let spans = [
                Self.span(0, Self.tokens(30)[..<20], from: 0, page: 0),
                Self.span(1, Self.tokens(9, seed: 3)[...], from: 0, page: 1),
                Self.span(0, Self.tokens(30)[20...], from: 20, page: 0),
            ]
            let alone = try Rig(checkpoint, local: [1..<2])
            let expected = try spans.map { try alone.step($0).bits }
            let rig = try Rig(checkpoint, local: [1..<2])
            let runs = try spans.map {
                try rig.model.begin([$0], capture: [.logits, .hidden, .router])
            }
            var outcomes = [Outcome](repeating: Outcome(), count: runs.count)
            var waits = runs.map { rig.advance($0) }
            while waits.contains(where: { $0 != nil }) {
                for (place, run) in runs.enumerated() {
                    guard let outputs = waits[place] else { continue }
                    rig.model.combine(run, outputs)
                    waits[place] = rig.advance(run)
                    if waits[place] == nil { outcomes[place].add(rig.model.finish(run)) }
                }
            }
            #expect(outcomes.map(\.bits) == expected)
        }
    }

    @Test func tilesThatWereRoundedTravelWithoutLoss() {
        let rows = Tensor((0..<3).map { row in (0..<200).map { Float($0 * 7 - row * 400) / 33 } })
        rows.roundToBFloat16()
        let rounded = Tensor(rows: 0, columns: 200)
        RowTiles.round(rows, into: rounded)
        let (codes, scales) = RowTiles.pack(rounded)
        #expect(codes.count == 600 && scales.columnCount == 2)
        let arrived = Tensor(rows: 3, columns: 200)
        RowTiles.unpack(codes, scales: scales, into: arrived)
        #expect(arrived.values() == rounded.values())
        #expect(rounded.values().allSatisfy { $0.bitPattern & 0xFFFF == 0 })
        let worst = zip(rounded.values(), rows.values()).map { abs($0 - $1) / max(abs($1), 1) }
        // Three bits of mantissa: half of an eighth.
        #expect((worst.max() ?? 1) < 0.0626)
    }
}
