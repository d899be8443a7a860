import SkeinCore
import SkeinTensor

// A step arrives from a peer; whatever could not be computed is refused before anything is touched.
extension SliceModel {
    func check(_ spans: [SequenceSpan], hidden: Tensor?) throws(Refusal) {
        let rowCount = spans.reduce(0) { $0 + $1.tokens.count }
        guard rowCount > 0 else { throw Refusal("micro-batch", "has no rows") }
        for span in spans { try check(span) }
        guard !slice.holdsEmbedding else {
            guard hidden == nil else {
                throw Refusal("micro-batch", "carries a residual, expected tokens alone")
            }
            return
        }
        guard let hidden else { throw Refusal("micro-batch", "carries no residual") }
        guard hidden.rowCount == rowCount, hidden.columnCount == configuration.hiddenSize else {
            throw Refusal(
                "micro-batch",
                "carries a residual [\(hidden.rowCount), \(hidden.columnCount)], expected "
                    + "[\(rowCount), \(configuration.hiddenSize)]")
        }
    }

    private func check(_ span: SequenceSpan) throws(Refusal) {
        let subject = "sequence \(span.sequence.rawValue)"
        guard !span.tokens.isEmpty else { throw Refusal(subject, "has no rows") }
        for token in span.tokens
        where token.rawValue < 0 || token.rawValue >= configuration.vocabularySize {
            throw Refusal(
                subject,
                "token \(token) is not one of the \(configuration.vocabularySize) known")
        }
        let last = span.firstPosition.addingReportingOverflow(span.tokens.count - 1)
        guard span.firstPosition >= 0, !last.overflow,
            last.partialValue < configuration.positionCountMax
        else {
            throw Refusal(
                subject,
                "positions from \(span.firstPosition), expected below "
                    + "\(configuration.positionCountMax)")
        }
        guard span.pageTable.count * Limits.pageRowCount > last.partialValue else {
            throw Refusal(
                subject, "\(span.pageTable.count) pages do not reach position \(last.partialValue)")
        }
        for page in span.pageTable where page.rawValue < 0 || page.rawValue >= latentPageCount {
            throw Refusal(
                subject, "page \(page.rawValue) lies beyond the \(latentPageCount) of the pool")
        }
    }
}
