/// Which rows go to which of the local experts, sorted by expert.
public struct ExpertAssignments: Sendable, Equatable {
    /// Experts counted.
    public let expertCount: Int

    /// Rows of the output: one for each row and slot of the choice.
    public let outputRowCount: Int

    /// One more than the highest input row.
    public let inputRowCount: Int

    private let starts: [Int]
    private let inputRows: [UInt32]
    private let outputRows: [UInt32]

    /// Sorts a router's choice; slot `s` of row `m` writes output row `m * slotCount + s`.
    ///
    /// - Parameters:
    ///   - chosen: expert numbers `[row, slotCount]`, row-major; numbers outside `localExperts` are
    ///     served elsewhere and skipped here.
    ///   - localExperts: the experts at hand; the first is expert 0 of the call.
    public init(chosen: [Int], slotCount: Int, localExperts: Range<Int>) {
        precondition(slotCount > 0 && chosen.count % slotCount == 0, "slots of \(slotCount)")
        let pairs = chosen.indices.lazy.filter { localExperts.contains(chosen[$0]) }
            .map {
                (
                    expert: chosen[$0] - localExperts.lowerBound, inputRow: $0 / slotCount,
                    outputRow: $0
                )
            }
        self.init(
            expertCount: localExperts.count, pairs: Array(pairs), outputRowCount: chosen.count)
    }

    /// Sorts any list of (expert, input row, output row); every output row occurs at most once.
    public init(
        expertCount: Int, pairs: [(expert: Int, inputRow: Int, outputRow: Int)],
        outputRowCount: Int
    ) {
        var starts = [Int](repeating: 0, count: expertCount + 1)
        for pair in pairs {
            precondition(
                pair.expert >= 0 && pair.expert < expertCount && pair.inputRow >= 0
                    && pair.outputRow >= 0 && pair.outputRow < outputRowCount,
                "\(pair) of \(expertCount) experts and \(outputRowCount) rows")
            starts[pair.expert + 1] += 1
        }
        for expert in 0..<expertCount { starts[expert + 1] += starts[expert] }
        var next = starts
        var inputRows = [UInt32](repeating: 0, count: pairs.count)
        var outputRows = inputRows
        for pair in pairs {
            inputRows[next[pair.expert]] = UInt32(pair.inputRow)
            outputRows[next[pair.expert]] = UInt32(pair.outputRow)
            next[pair.expert] += 1
        }
        self.expertCount = expertCount
        self.outputRowCount = outputRowCount
        self.inputRowCount = inputRows.max().map { Int($0) + 1 } ?? 0
        self.starts = starts
        self.inputRows = inputRows
        self.outputRows = outputRows
    }

    /// How many rows an expert serves.
    public func rowCount(of expert: Int) -> Int { range(of: expert).count }

    /// The input rows that an expert serves, in the order they were given.
    public func inputRows(of expert: Int) -> [Int] { inputRows[range(of: expert)].map(Int.init) }

    func range(of expert: Int) -> Range<Int> { starts[expert]..<starts[expert + 1] }

    func withRows<R>(_ body: (UnsafePointer<UInt32>?, UnsafePointer<UInt32>?) -> R) -> R {
        inputRows.withUnsafeBufferPointer { input in
            outputRows.withUnsafeBufferPointer { body(input.baseAddress, $0.baseAddress) }
        }
    }
}
