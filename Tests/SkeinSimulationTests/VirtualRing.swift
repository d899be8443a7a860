import SkeinCore
import SkeinPlanning

/// Random numbers of a test: the same seed gives the same run.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return mix(state)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// SplitMix64's finish.
func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}

/// A model without weights: what a row leaves in the cache depends on all tokens up to it, and the
/// next token depends on that and on the sampling seed.
enum FakeModel {
    static let vocabularySize = 400
    static let stopToken: TokenID = 7

    static func row(after before: UInt64, _ token: TokenID) -> UInt64 {
        mix(before &* 31 &+ UInt64(token.rawValue) &+ 1)
    }

    static func nextToken(_ row: UInt64, seed: UInt64) -> TokenID {
        TokenID(Int(mix(row ^ mix(seed)) % UInt64(vocabularySize)))
    }

    static func score(_ row: UInt64, _ target: TokenID) -> Float {
        Float(mix(row ^ UInt64(target.rawValue)) % 10_000) / -1_000
    }
}

/// Stages that work one micro-batch after the other, with hops between them, on a virtual clock;
/// and the latent cache that all of them would hold.
struct VirtualRing {
    struct CachedRow: Equatable {
        var row: UInt64
        var tenant: String
    }

    private var stages: [VirtualServer]
    private var pages: [[CachedRow?]]
    private(set) var faults: [String] = []

    init(stageCount: Int, pageCount: Int) {
        stages = [VirtualServer](repeating: VirtualServer(), count: stageCount)
        pages = [[CachedRow?]](
            repeating: [CachedRow?](repeating: nil, count: Limits.pageRowCount), count: pageCount)
    }

    /// A micro-batch's way round the ring, in microseconds.
    struct Journey {
        var back: UInt64
        var stageTimes: [Duration]
        var roundTime: Duration
    }

    /// When the micro-batch comes back: it queues at every stage.
    mutating func travel(
        _ microBatch: MicroBatch, now: UInt64, _ numbers: inout SeededNumbers
    ) -> Journey {
        var time = now
        var stageTimes: [Duration] = []
        for stage in stages.indices {
            time += UInt64.random(in: 10...200, using: &numbers)
            let step =
                UInt64.random(in: 500...900, using: &numbers) + UInt64(microBatch.rowCount) * 20
            time = stages[stage].serve(step, from: time).end
            stageTimes.append(.microseconds(step))
        }
        let back = time + UInt64.random(in: 10...200, using: &numbers)
        return Journey(
            back: back, stageTimes: stageTimes, roundTime: .microseconds(back - now))
    }

    /// Carries out the span's copy, then writes its rows, reading the row before the first from the
    /// cache.
    mutating func write(_ span: SequenceSpan, tenant: String) {
        if let copy = span.pageCopy { carryOut(copy, of: span) }
        var before: UInt64 = 0
        if span.firstPosition > 0 {
            guard let cached = cached(span, span.firstPosition - 1, tenant) else { return }
            before = cached
        }
        for (offset, token) in span.tokens.enumerated() {
            let position = span.firstPosition + offset
            before = FakeModel.row(after: before, token)
            let page = Int(span.pageTable[position / Limits.pageRowCount].rawValue)
            pages[page][position % Limits.pageRowCount] = CachedRow(row: before, tenant: tenant)
        }
    }

    private mutating func carryOut(_ copy: PageCopy, of span: SequenceSpan) {
        if let fault = span.pageCopyFault {
            faults.append("sequence \(span.sequence.rawValue) \(fault)")
        }
        let (source, target) = (Int(copy.source.rawValue), Int(copy.target.rawValue))
        for row in 0..<copy.rowCount { pages[target][row] = pages[source][row] }
    }

    /// The last stage copies later than the first: the rows must be there until the return.
    mutating func checkCopy(of span: SequenceSpan) {
        guard let copy = span.pageCopy else { return }
        let (source, target) = (Int(copy.source.rawValue), Int(copy.target.rawValue))
        for row in 0..<copy.rowCount where pages[target][row] != pages[source][row] {
            faults.append("sequence \(span.sequence.rawValue): row \(row) changed while copied")
            return
        }
    }

    /// Compares the rows of a page that is known for its rows with what they should be.
    mutating func check(_ page: PageIndex, holds tokens: [TokenID], of tenant: String) {
        let first = (tokens.count - 1) / Limits.pageRowCount * Limits.pageRowCount
        var row: UInt64 = 0
        for (position, token) in tokens.enumerated() {
            row = FakeModel.row(after: row, token)
            guard position >= first else { continue }
            let held = pages[Int(page.rawValue)][position - first]
            if held != CachedRow(row: row, tenant: tenant) {
                faults.append("page \(page.rawValue) is known for other rows than it holds")
                return
            }
        }
    }

    /// Reads a row back, and notes a fault where it is missing or another tenant's.
    mutating func cached(_ span: SequenceSpan, _ position: Int, _ tenant: String) -> UInt64? {
        let pageNumber = position / Limits.pageRowCount
        guard pageNumber < span.pageTable.count else {
            faults.append("sequence \(span.sequence.rawValue): no page for \(position)")
            return nil
        }
        let page = Int(span.pageTable[pageNumber].rawValue)
        guard let cached = pages[page][position % Limits.pageRowCount] else {
            faults.append("sequence \(span.sequence.rawValue): row \(position) was never written")
            return nil
        }
        if cached.tenant != tenant {
            faults.append("sequence \(span.sequence.rawValue): row \(position) is another tenant's")
        }
        return cached.row
    }
}
