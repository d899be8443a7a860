/// The experts chosen for some rows, and the weights of their outputs.
public struct ExpertChoice: Sendable, Equatable {
    /// Experts of one row.
    public let slotCount: Int

    /// `[row, slot]`, row-major; ascending within a row, which fixes the order of the combine.
    public let experts: [Int]

    /// `[row, slot]`, beside the experts.
    public let weights: [Float]

    /// Rows.
    public var rowCount: Int { experts.count / slotCount }

    /// Pairs experts with their weights.
    init(slotCount: Int, experts: [Int], weights: [Float]) {
        precondition(slotCount > 0 && experts.count == weights.count, "a torn choice")
        self.slotCount = slotCount
        self.experts = experts
        self.weights = weights
    }
}
