import SkeinCore

/// Collects spans until a micro-batch is closed.
struct MicroBatchBuilder {
    let phase: Phase
    var spansMax: Int
    private(set) var spans: [SequenceSpan] = []
    private(set) var rowCount = 0
    private(set) var capture: Capture = []

    init(phase: Phase, spansMax: Int) {
        self.phase = phase
        self.spansMax = min(spansMax, Limits.microBatchSpansMax)
    }

    var isEmpty: Bool { spans.isEmpty }
    var isFull: Bool { spans.count >= spansMax }

    /// Captured values of a micro-batch concern all of its rows, so only like wishes may join.
    func accepts(_ wanted: Capture) -> Bool { spans.isEmpty || capture == wanted }

    mutating func add(_ span: SequenceSpan, capture wanted: Capture) {
        precondition(accepts(wanted) && !span.tokens.isEmpty, "span does not belong here")
        capture = wanted
        rowCount += span.tokens.count
        spans.append(span)
    }

    func close(id: MicroBatchID, epoch: Epoch) -> MicroBatch {
        MicroBatch(id: id, epoch: epoch, phase: phase, spans: spans, capture: capture)
    }
}
