import SkeinCore
import SkeinTensor

/// Where the rows of a step stand: whose they are and at which positions, and what all layers
/// derive of that.
struct Step {
    /// The sequences' rows; together they cover all rows, in order.
    let spans: [AttentionSpan]

    /// Where their cached rows lie.
    let paged: PagedRows

    /// What they are rotated by.
    let angles: RotaryAngles

    /// Lays the spans' rows one after the other.
    init(_ spans: [SequenceSpan], table: RotaryTable, on pool: ComputePool) {
        var first = 0
        self.spans = spans.map { span in
            defer { first += span.tokens.count }
            return AttentionSpan(
                rows: first..<(first + span.tokens.count), firstPosition: span.firstPosition,
                pageTable: span.pageTable)
        }
        paged = PagedRows(self.spans)
        let positions = spans.flatMap { span in
            span.firstPosition..<(span.firstPosition + span.tokens.count)
        }
        angles = table.angles(of: positions, on: pool)
    }

    private init(spans: [AttentionSpan], angles: RotaryAngles) {
        self.spans = spans
        self.angles = angles
        paged = PagedRows(spans)
    }

    /// One for each row.
    var positions: [Int] { angles.positions }

    /// Rows of the step.
    var rowCount: Int { positions.count }

    /// Some consecutive rows as a step of their own.
    func part(_ rows: Range<Int>) -> Step {
        let parts = spans.compactMap { span -> AttentionSpan? in
            let common = span.rows.clamped(to: rows)
            guard !common.isEmpty else { return nil }
            let first = common.lowerBound - rows.lowerBound
            return AttentionSpan(
                rows: first..<first + common.count,
                firstPosition: span.firstPosition + common.lowerBound - span.rows.lowerBound,
                pageTable: span.pageTable)
        }
        return Step(spans: parts, angles: angles.part(rows))
    }
}
