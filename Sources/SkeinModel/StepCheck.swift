import SkeinCore
import SkeinTensor

/// Checks a step before anything is touched: it arrives from a peer, and whatever could not be
/// computed is refused.
struct StepCheck {
    let configuration: ModelConfiguration

    /// Pages that a page table may name.
    let pageCount: Int

    /// Checks the rows, and the residual where the step starts from one.
    func check(_ spans: [SequenceSpan], residual: Tensor?) throws(Refusal) {
        var rowCount = 0
        for span in spans {
            try check(span)
            rowCount += span.tokens.count
        }
        guard rowCount > 0 else { throw Refusal("micro-batch", "has no rows") }
        guard let residual else { return }
        guard residual.rowCount == rowCount, residual.columnCount == configuration.hiddenSize
        else {
            throw Refusal(
                "micro-batch",
                "carries a residual [\(residual.rowCount), \(residual.columnCount)], expected "
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
                "token \(token) is none of the vocabulary's \(configuration.vocabularySize)")
        }
        let last = span.firstPosition.addingReportingOverflow(span.tokens.count - 1)
        guard span.firstPosition >= 0, !last.overflow,
            last.partialValue < configuration.positionCountMax
        else {
            throw Refusal(
                subject,
                "\(span.tokens.count) positions from \(span.firstPosition) on, expected all from 0 "
                    + "to \(configuration.positionCountMax - 1)")
        }
        guard span.pageTable.count > last.partialValue / Limits.pageRowCount else {
            throw Refusal(
                subject, "\(span.pageTable.count) pages do not reach position \(last.partialValue)")
        }
        for page in span.pageTable where page.rawValue < 0 || page.rawValue >= pageCount {
            throw Refusal(subject, "page \(page.rawValue) is none of the pool's \(pageCount)")
        }
        if let fault = span.pageCopyFault { throw Refusal(subject, fault) }
        if let source = span.pageCopy?.source.rawValue, source < 0 || source >= pageCount {
            throw Refusal(
                subject, "copies page \(source), which is none of the pool's \(pageCount)")
        }
    }
}
