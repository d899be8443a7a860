import SkeinCore
import SkeinScheduling

extension StepShape {
    /// The shape of a micro-batch that the schedule closed.
    init(_ microBatch: MicroBatch) {
        var (rowCount, positionSum, headRowCount) = (0, 0, 0)
        for span in microBatch.spans {
            let count = span.tokens.count
            rowCount += count
            positionSum += count * span.firstPosition + count * (count + 1) / 2
            headRowCount += span.demand == nil ? 0 : 1
        }
        self.init(
            rowCount: Double(rowCount), positionSum: Double(positionSum),
            headRowCount: Double(headRowCount))
    }
}
