import SkeinCache
import SkeinCore
import SkeinTensor
import SkeinWeights
import Testing

@testable import SkeinModel

/// The slices of a model in one thread, one after the other, as a pipeline would run them.
final class PipelineRig {
    let checkpoint: Checkpoint
    let slices: [SliceModel]

    init(
        _ checkpoint: Checkpoint, sliceCount: Int = 1, threadCount: Int = 1, pageCount: Int = 64,
        limits: PartLimits? = nil, instructionSets: [InstructionSet] = [Kernels.chosen],
        latentForm: LatentForm = .bf16
    ) throws {
        self.checkpoint = checkpoint
        let model = checkpoint.configuration
        let pools = instructionSets.map {
            ComputePool(threadCount: threadCount, instructionSet: $0)
        }
        let parts = try #require(
            Slice.even(
                layerCount: model.layerCount, count: sliceCount, keeping: model.layersWithinStages))
        slices = try parts.enumerated().map { index, slice in
            let compute = pools[index % pools.count]
            return try SliceModel(
                checkpoint: checkpoint, slice: slice,
                latents: LatentPool(
                    configuration: model, slice: slice, pageCount: pageCount, form: latentForm),
                compute: compute, limits: limits)
        }
    }

    convenience init(
        folder: String, sliceCount: Int = 1, threadCount: Int = 1, pageCount: Int = 64
    ) throws {
        try self.init(
            Checkpoint.open(folder), sliceCount: sliceCount, threadCount: threadCount,
            pageCount: pageCount)
    }

    /// Runs one step through all slices; the residual travels as BF16 bytes.
    func step(_ spans: [SequenceSpan], capture: Capture = []) throws -> Outcome {
        var outcome = Outcome()
        var hidden: Tensor?
        for slice in slices {
            let output = try slice.run(spans, hidden: hidden, capture: capture)
            let bytes = output.residual.packedBFloat16()
            let arrived = Tensor(
                rows: output.residual.rowCount, columns: output.residual.columnCount)
            arrived.load(bfloat16: bytes.span.bytes)
            hidden = arrived
            outcome.add(output)
        }
        return outcome
    }

    /// Runs a sequence in chunks of at most `chunk` tokens; every row's values, in order.
    func run(
        _ tokens: [Int], chunk: Int = .max, pages: [PageIndex]? = nil, from firstPosition: Int = 0,
        capture: Capture = .logits
    ) throws -> Outcome {
        var outcome = Outcome()
        var position = 0
        while position < tokens.count {
            let end = position + min(chunk, tokens.count - position)
            let span = Self.span(
                0, tokens[position..<end], from: firstPosition + position, pages: pages)
            outcome.add(try step([span], capture: capture))
            position = end
        }
        return outcome
    }

    /// A span whose pages are 0, 1, 2 … unless others are given.
    static func span(
        _ sequence: UInt64, _ tokens: ArraySlice<Int>, from firstPosition: Int,
        pages: [PageIndex]? = nil
    ) -> SequenceSpan {
        let pageCount = PageIndex.count(ofRows: firstPosition + tokens.count)
        return SequenceSpan(
            sequence: SequenceID(rawValue: sequence), firstPosition: firstPosition,
            tokens: tokens.map { TokenID($0) },
            pageTable: pages ?? (0..<pageCount).map { PageIndex($0) })
    }
}

/// Captured values of some steps, row after row.
struct Outcome: Equatable {
    var floats: [CapturedKind: [Float]] = [:]
    var integers: [CapturedKind: [Int32]] = [:]

    var logits: [Float] { floats[.logits, default: []] }

    mutating func add(_ output: SliceOutput) {
        for value in output.captured {
            switch value.numbers {
            case .float32(let numbers): floats[value.kind, default: []] += numbers
            case .int32(let numbers): integers[value.kind, default: []] += numbers
            }
        }
    }

    mutating func add(_ other: Outcome) {
        for (kind, numbers) in other.floats { floats[kind, default: []] += numbers }
        for (kind, numbers) in other.integers { integers[kind, default: []] += numbers }
    }

    /// The bits of all numbers, so that comparison knows no tolerance and no signed zeros.
    var bits: [CapturedKind: [UInt32]] {
        floats.mapValues { $0.map(\.bitPattern) }
            .merging(integers.mapValues { $0.map { UInt32(bitPattern: $0) } }) { first, _ in first }
    }
}

extension Outcome {
    /// Some rows of a step of `total` rows.
    func rows(_ rows: Range<Int>, of total: Int) -> Outcome {
        Outcome(
            floats: floats.mapValues { values in
                let width = values.count / total
                return Array(values[rows.lowerBound * width..<rows.upperBound * width])
            },
            integers: integers.mapValues { values in
                let width = values.count / total
                return Array(values[rows.lowerBound * width..<rows.upperBound * width])
            })
    }
}
